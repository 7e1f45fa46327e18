import { open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { isErrno } from '../../store/atomic-file.ts';

/**
 * What a guest says on its serial line, as the machine image writes it: `skiff-boot: <stage> <seconds>` a stage,
 * `skiff-boot: failed <stage> <seconds> <why>` when it gives up, and whatever a kernel says when it dies.
 */
export type SerialEvent =
  | { readonly kind: 'stage'; readonly stage: string; readonly guestSeconds: number }
  | { readonly kind: 'failed'; readonly stage: string; readonly why: string }
  | { readonly kind: 'panic'; readonly line: string };

const stageLine = /^skiff-boot: ([a-z][a-z-]*) (\d+(?:\.\d+)?)$/;
const failedLine = /^skiff-boot: failed ([a-z][a-z-]*) \d+(?:\.\d+)? (.*)$/;
const panicLine = /Kernel panic|Oops:|BUG: unable to handle|Unable to mount root fs/;

export function parseSerialLine(line: string): SerialEvent | null {
  // printk puts a time stamp before its lines.
  const text = line.replace(/^\[\s*\d+\.\d+\]\s*/, '').trimEnd();
  const failed = failedLine.exec(text);
  if (failed?.[1] !== undefined && failed[2] !== undefined) return { kind: 'failed', stage: failed[1], why: failed[2] };
  const stage = stageLine.exec(text);
  if (stage?.[1] !== undefined && stage[2] !== undefined) {
    return { kind: 'stage', stage: stage[1], guestSeconds: Number(stage[2]) };
  }
  return panicLine.test(text) ? { kind: 'panic', line: text } : null;
}

/** Reads a serial log as it grows. */
export class SerialReader {
  readonly #path: string;
  #offset = 0;
  #rest = '';
  #tail: string[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  /** Bytes that the guest has written since it was started. */
  get byteCount(): number {
    return this.#offset;
  }

  /** The newest lines, for an error message. */
  get lastLines(): readonly string[] {
    return this.#rest.trim() === '' ? this.#tail : [...this.#tail, this.#rest];
  }

  /** What came since the last call. */
  async read(): Promise<readonly SerialEvent[]> {
    let handle;
    try {
      handle = await open(this.#path, 'r');
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return [];
      throw error;
    }
    await using file = handle;
    const buffer = Buffer.alloc(64 * 1024);
    const events: SerialEvent[] = [];
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, this.#offset);
      if (bytesRead === 0) return events;
      this.#offset += bytesRead;
      // A serial line is bytes; latin1 keeps each one and never waits for the rest of a character.
      const lines = (this.#rest + buffer.toString('latin1', 0, bytesRead)).split(/\r?\n/);
      this.#rest = lines.pop() ?? '';
      for (const line of lines) {
        const event = parseSerialLine(line);
        if (event !== null) events.push(event);
      }
      this.#tail = [...this.#tail, ...lines.filter((line) => line.trim() !== '')].slice(-20);
    }
  }
}

/** Waits until the guest has told of a stage; false when it has not within the time. */
export async function awaitStage(
  serialLog: string,
  wanted: { readonly stage: string; readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<boolean> {
  const serial = new SerialReader(serialLog);
  const deadline = performance.now() + wanted.timeoutMs;
  for (;;) {
    const events = await serial.read();
    if (events.some((event) => event.kind === 'stage' && event.stage === wanted.stage)) return true;
    if (performance.now() >= deadline) return false;
    await delay(25, undefined, { signal: wanted.signal });
  }
}
