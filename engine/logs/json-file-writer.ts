/**
 * Writes a container's output as docker's json-file. Lines of more than 16 KiB are kept in parts, of which only the last
 * ends in a newline. Writing is synchronous, into the page cache: when `write` returns, the lines are in the file whatever
 * happens to this process. Files are rotated by renaming; with one file only, it is replaced by a new one, so that a
 * reader that has it open can read it to its end. While a rotated file is being compressed the newest may grow beyond its size.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import type { Instant } from '../model/time.ts';
import { encodeRecord, recordBytes, recordMiddle, type RecordMiddle } from './json-line.ts';
import type { LogFilePlan } from './log-plan.ts';
import type { LogWriter } from './log-writer.ts';
import { RecordClock } from './record-clock.ts';
import { RotatedFiles } from './rotated-files.ts';

type OutputName = 'stdout' | 'stderr';

/** Docker's size of a part. */
export const partBytes = 16_384;
const lineFeed = 0x0a;

/** Records are collected here and written at once. Writing is synchronous, so all writers share it. */
const batch = Buffer.allocUnsafeSlow(256 * 1024);

/** The start of a line whose end has not come yet. */
interface OpenLine {
  bytes: Buffer;
  length: number;
}

export class JsonFileWriter implements LogWriter {
  readonly #plan: LogFilePlan;
  readonly #middle: RecordMiddle;
  readonly #rotated: RotatedFiles;
  readonly #clock: RecordClock;
  readonly #open: Record<OutputName, OpenLine> = {
    stdout: { bytes: Buffer.alloc(0), length: 0 },
    stderr: { bytes: Buffer.alloc(0), length: 0 },
  };
  #fd: number;
  #size: number;
  #batched = 0;
  #state: 'open' | 'closed' = 'open';

  /** Goes on with the file when it is there. */
  constructor(plan: LogFilePlan, now: () => Instant) {
    this.#plan = plan;
    this.#middle = recordMiddle(plan.attributes ?? {});
    this.#rotated = new RotatedFiles(plan);
    this.#clock = new RecordClock(now);
    this.#fd = openSync(plan.path, 'a', 0o640);
    this.#size = fstatSync(this.#fd).size;
  }

  /** Time of the last record that this writer wrote; 0 before the first. */
  get lastRecordAt(): Instant {
    return this.#clock.last;
  }

  /** Throws when the file cannot be written (no space): the records of this call are lost then, later ones are tried. */
  write(stream: OutputName, bytes: Buffer): void {
    this.#clock.read();
    this.#batched = 0;
    let at = 0;
    while (at < bytes.length) at = this.#take(stream, bytes, at);
    this.#writeBatch(this.#batched);
  }

  /** Writes the lines that have no end yet: there will be none. */
  finish(): void {
    this.#clock.read();
    this.#batched = 0;
    for (const stream of ['stdout', 'stderr'] as const) {
      const open = this.#open[stream];
      if (open.length > 0) this.#record(stream, open.bytes, 0, open.length, 'part');
      open.length = 0;
    }
    this.#writeBatch(this.#batched);
  }

  [Symbol.dispose](): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    closeSync(this.#fd);
  }

  /** Takes one line, part or beginning of a line from `at` on; returns where the next one starts. */
  #take(stream: OutputName, bytes: Buffer, at: number): number {
    const open = this.#open[stream];
    const found = bytes.indexOf(lineFeed, at);
    const end = found === -1 ? bytes.length : found;
    if (open.length > 0) return this.#continueLine(stream, bytes, at, end);
    if (end - at >= partBytes) {
      const cut = cutBetweenRunes(bytes, at, at + partBytes);
      this.#record(stream, bytes, at, cut, 'part');
      return cut;
    }
    if (found !== -1) {
      this.#record(stream, bytes, at, end, 'line');
      return end + 1;
    }
    keep(open, bytes, at, end);
    return end;
  }

  #continueLine(stream: OutputName, bytes: Buffer, at: number, end: number): number {
    const open = this.#open[stream];
    const taken = Math.min(end - at, partBytes - open.length);
    keep(open, bytes, at, at + taken);
    const next = at + taken;
    if (open.length >= partBytes) {
      const cut = cutBetweenRunes(open.bytes, 0, open.length);
      this.#record(stream, open.bytes, 0, cut, 'part');
      open.bytes.copyWithin(0, cut, open.length);
      open.length -= cut;
      return next;
    }
    if (next === bytes.length) return next;
    this.#record(stream, open.bytes, 0, open.length, 'line');
    open.length = 0;
    return next + 1;
  }

  #record(stream: OutputName, source: Buffer, start: number, end: number, kind: 'line' | 'part'): void {
    if (this.#batched + recordBytes(end - start, this.#middle) > batch.length) this.#writeBatch(this.#batched);
    this.#clock.tick();
    const from = this.#batched;
    this.#batched = encodeRecord(batch, from, {
      source,
      start,
      end,
      endsLine: kind === 'line',
      stream,
      middle: this.#middle,
      time: this.#clock.text,
      timeLength: this.#clock.length,
    });
    if (this.#size + this.#batched <= this.#plan.maxSizeBytes || this.#size + from === 0) return;
    if (this.#rotated.isCompressing) return;
    const length = this.#batched - from;
    this.#writeBatch(from);
    batch.copyWithin(0, from, from + length);
    this.#batched = length;
    this.#rotate();
  }

  #writeBatch(length: number): void {
    this.#batched = 0;
    try {
      for (let at = 0; at < length;) at += writeSync(this.#fd, batch, at, length - at);
      this.#size += length;
    } catch (error) {
      // Half a record would spoil the one that follows it.
      ftruncateSync(this.#fd, this.#size);
      throw error;
    }
  }

  #rotate(): void {
    this.#rotated.rotate();
    const fd = openSync(this.#plan.path, 'a', 0o640);
    closeSync(this.#fd);
    this.#fd = fd;
    this.#size = 0;
  }
}

function keep(open: OpenLine, bytes: Buffer, start: number, end: number): void {
  const length = open.length + end - start;
  if (open.bytes.length < length) {
    const larger = Buffer.allocUnsafeSlow(Math.min(partBytes, Math.max(1024, length * 2)));
    open.bytes.copy(larger, 0, 0, open.length);
    open.bytes = larger;
  }
  bytes.copy(open.bytes, open.length, start, end);
  open.length = length;
}

/** Where to cut, at most three bytes before `end`, so that no UTF-8 sequence is torn: halves of one could not be stored. */
function cutBetweenRunes(bytes: Buffer, start: number, end: number): number {
  let lead = end - 1;
  while (lead > start && lead > end - 4 && ((bytes[lead] ?? 0) & 0xc0) === 0x80) lead -= 1;
  const first = bytes[lead] ?? 0;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
  return lead > start && lead + length > end ? lead : end;
}
