/**
 * A streaming tar reader without I/O. Chunks of any size go in by `push`, events come out: an `entry`, its `data` (none
 * for what is no file), its `end`. Memory stays small whatever the archive says: content is handed through as slices of
 * the chunks, and headers are limited.
 *
 *     for (const chunk of chunks) for (const event of reader.push(chunk)) take(event);
 *     for (const event of reader.end()) take(event);
 *
 * The parser below is a coroutine that yields `'more'` when it needs bytes: so the format reads from top to bottom
 * instead of being cut into states.
 */
import { ByteQueue } from './byte-queue.ts';
import { blockSize, paddingOf, printableName, type TarEntry, type TarEntryKind, TarError } from './entry.ts';
import { isZeroBlock, type RawHeader, readHeaderBlock, sizeField } from './fields.ts';
import { mergePax, noRecords, parsePax, paxNumber, type PaxRecords, paxText, paxTime, paxXattrs } from './pax.ts';
import {
  checkedMap,
  oldGnuSegments,
  segmentCount,
  segmentsFromLines,
  segmentsFromList,
  type SparseMap,
  type SparseSegment,
} from './sparse.ts';

export type TarEvent =
  /** `position`: offset in the archive of the first byte of content; where `isPlain`, all of it lies there in one piece. */
  | { readonly kind: 'entry'; readonly entry: TarEntry; readonly position: number; readonly isPlain: boolean }
  /** `atByte`: offset in the file, `position`: in the archive. Between two of a sparse file there may be a hole. */
  | { readonly kind: 'data'; readonly atByte: number; readonly position: number; readonly bytes: Buffer }
  | { readonly kind: 'end' };

export class TarReader {
  readonly #queue = new ByteQueue();
  readonly #parser = parse(this.#queue);
  #isDone = false;

  /** The events that this chunk completes; all of them must be taken before the next push. Throws TarError. */
  *push(chunk: Buffer): Generator<TarEvent, void, void> {
    if (this.#isDone) return;
    this.#queue.add(chunk);
    yield* this.#drain();
  }

  /** Nothing more will come. Throws TarError when the archive ends inside an entry. */
  *end(): Generator<TarEvent, void, void> {
    this.#queue.close();
    yield* this.#drain();
  }

  *#drain(): Generator<TarEvent, void, void> {
    while (!this.#isDone) {
      const step = this.#parser.next();
      if (step.done === true) this.#isDone = true;
      else if (step.value === 'more') return;
      else yield step.value;
    }
  }
}

type Parser<T> = Generator<TarEvent | 'more', T, void>;

/** Extended headers are read into memory; as much as Go's reader takes. */
const longestExtendedHeader = 1024 * 1024;

/** What extended headers say about the entry that follows them. */
interface Extended {
  readonly records: PaxRecords;
  readonly longName: Buffer | null;
  readonly longLink: Buffer | null;
}
const nothingExtended: Extended = { records: noRecords, longName: null, longLink: null };

function* parse(queue: ByteQueue): Parser<void> {
  let global = noRecords;
  let extended = nothingExtended;
  for (;;) {
    const header = yield* nextHeader(queue, extended !== nothingExtended);
    if (header === null) return;
    if (header.type === 'g') {
      global = mergePax(global, parsePax(yield* extendedData(queue, header)));
    } else if (header.type === 'x' || header.type === 'X') {
      extended = { ...extended, records: parsePax(yield* extendedData(queue, header)) };
    } else if (header.type === 'L') {
      extended = { ...extended, longName: untilNul(yield* extendedData(queue, header)) };
    } else if (header.type === 'K') {
      extended = { ...extended, longLink: untilNul(yield* extendedData(queue, header)) };
    } else {
      yield* entryOf(queue, header, { ...extended, records: mergePax(global, extended.records) });
      extended = nothingExtended;
    }
  }
}

/** Null at the end: two blocks of zeros, or simply no more bytes. */
function* nextHeader(queue: ByteQueue, isExtended: boolean): Parser<RawHeader | null> {
  const block = yield* blockOrEnd(queue);
  if (block !== null && !isZeroBlock(block)) return readHeaderBlock(block);
  if (isExtended) throw new TarError('the archive ends behind an extended header');
  if (block === null) return null;
  const second = yield* blockOrEnd(queue);
  if (second !== null && !isZeroBlock(second)) throw new TarError('a lone block of zeros between two entries');
  return null;
}

function* blockOrEnd(queue: ByteQueue): Parser<Buffer | null> {
  while (queue.length < blockSize) {
    if (queue.isClosed) {
      const rest = queue.take(queue.length);
      if (rest.some((byte) => byte !== 0)) throw new TarError('the archive ends inside a header');
      return null;
    }
    yield 'more';
  }
  return queue.take(blockSize);
}

function* extendedData(queue: ByteQueue, header: RawHeader): Parser<Buffer> {
  if (header.storedBytes > longestExtendedHeader) {
    throw new TarError(
      `an extended header of ${header.storedBytes} bytes: more than ${longestExtendedHeader} are refused`,
    );
  }
  const data = yield* exactly(queue, header.storedBytes, 'an extended header');
  yield* skip(queue, paddingOf(header.storedBytes));
  return data;
}

function* exactly(queue: ByteQueue, count: number, what: string): Parser<Buffer> {
  while (queue.length < count) {
    if (queue.isClosed) throw new TarError(`the archive ends inside ${what}`);
    yield 'more';
  }
  return queue.take(count);
}

/** Padding may be missing at the very end: nothing is lost by that. */
function* skip(queue: ByteQueue, count: number): Parser<void> {
  for (let left = count; left > 0;) {
    if (queue.length === 0) {
      if (queue.isClosed) return;
      yield 'more';
    }
    left -= queue.takeSome(left).length;
  }
}

function* entryOf(queue: ByteQueue, header: RawHeader, extended: Extended): Parser<void> {
  const { records } = extended;
  const sparseName = paxText(records, 'GNU.sparse.name');
  const name = sparseName ?? paxText(records, 'path') ?? extended.longName ?? header.name;
  const kind = kindOf(header, name);
  // What is no file has no content, whatever its size field says: old tars repeat a hard link's size there.
  const storedBytes = kind === 'file' ? (paxNumber(records, 'size') ?? header.storedBytes) : 0;
  const { map, mapBytes } = yield* sparseMapOf(queue, { header, records, storedBytes });
  const entry: TarEntry = {
    kind,
    name,
    linkName: paxText(records, 'linkpath') ?? extended.longLink ?? header.linkName,
    mode: header.mode,
    userId: paxNumber(records, 'uid') ?? header.userId,
    groupId: paxNumber(records, 'gid') ?? header.groupId,
    sizeBytes: map?.realBytes ?? storedBytes,
    modifiedNs: paxTime(records, 'mtime') ?? BigInt(header.modifiedSeconds) * 1_000_000_000n,
    device: kind === 'character-device' || kind === 'block-device' ? header.device : { major: 0, minor: 0 },
    xattrs: paxXattrs(records),
  };
  yield { kind: 'entry', entry, position: queue.taken, isPlain: map === null };
  const segments = map?.segments ?? [{ offset: 0, length: storedBytes }];
  for (const { offset, length } of segments) {
    yield* content(queue, { entry, offset, length });
  }
  yield* skip(queue, paddingOf(mapBytes + segments.reduce((sum, { length }) => sum + length, 0)));
  yield { kind: 'end' };
}

function* content(
  queue: ByteQueue,
  part: { readonly entry: TarEntry; readonly offset: number; readonly length: number },
): Parser<void> {
  for (let done = 0; done < part.length;) {
    const bytes = queue.takeSome(part.length - done);
    if (bytes.length === 0) {
      if (queue.isClosed) throw new TarError(`the archive ends inside ${printableName(part.entry.name)}`);
      yield 'more';
      continue;
    }
    yield { kind: 'data', atByte: part.offset + done, position: queue.taken - bytes.length, bytes };
    done += bytes.length;
  }
}

const kinds: Readonly<Record<string, TarEntryKind>> = {
  '0': 'file',
  '\0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  '6': 'fifo',
  '7': 'file',
  S: 'file',
};

function kindOf(header: RawHeader, name: Buffer): TarEntryKind {
  const kind = kinds[header.type];
  if (kind === undefined) {
    throw new TarError(`${printableName(name)} is of the unknown type ${JSON.stringify(header.type)}`);
  }
  // Before ustar a directory was a file whose name ends in a slash.
  const isOldDirectory = header.type === '\0' && name.at(-1) === 0x2f;
  return isOldDirectory ? 'directory' : kind;
}

interface SparseSource {
  readonly header: RawHeader;
  readonly records: PaxRecords;
  readonly storedBytes: number;
}

/** `mapBytes`: bytes of the stored content that the map itself took. */
function* sparseMapOf(queue: ByteQueue, source: SparseSource): Parser<{ map: SparseMap | null; mapBytes: number }> {
  const { header, records, storedBytes } = source;
  if (header.type === 'S') {
    const segments = [...oldGnuSegments(header.block, 386, 4)];
    for (let isExtended = header.block[482] === 1; isExtended;) {
      const block = yield* exactly(queue, blockSize, 'a sparse map');
      segments.push(...oldGnuSegments(block, 0, 21));
      if (segments.length > storedBytes + 1_000) throw new TarError('sparse map that does not fit what is stored');
      isExtended = block[504] === 1;
    }
    return { map: checkedMap({ segments, realBytes: sizeField(header.block, 483, 12) }, storedBytes), mapBytes: 0 };
  }
  const realBytes = paxNumber(records, 'GNU.sparse.realsize') ?? paxNumber(records, 'GNU.sparse.size');
  if (realBytes === null) return { map: null, mapBytes: 0 };
  if (paxNumber(records, 'GNU.sparse.major') === 1) {
    const { segments, bytes } = yield* mapInContent(queue, storedBytes);
    return { map: checkedMap({ segments, realBytes }, storedBytes - bytes), mapBytes: bytes };
  }
  const list = paxText(records, 'GNU.sparse.map');
  const segments = list === null ? records.sparseSegments : segmentsFromList(list.toString('latin1'));
  return { map: checkedMap({ segments, realBytes }, storedBytes), mapBytes: 0 };
}

/** Block by block, since what follows the map is content; a line for the count, then two for each part. */
function* mapInContent(
  queue: ByteQueue,
  storedBytes: number,
): Parser<{ segments: readonly SparseSegment[]; bytes: number }> {
  const blocks: Buffer[] = [];
  let lines = 0;
  for (let wantedLines = 1; lines < wantedLines;) {
    if ((blocks.length + 1) * blockSize > storedBytes) throw new TarError('malformed sparse map');
    const block = yield* exactly(queue, blockSize, 'a sparse map');
    blocks.push(block);
    if (lines === 0) wantedLines = 1 + 2 * segmentCount(block);
    for (let at = block.indexOf(0x0a); at !== -1; at = block.indexOf(0x0a, at + 1)) lines += 1;
  }
  return { segments: segmentsFromLines(Buffer.concat(blocks)), bytes: blocks.length * blockSize };
}

function untilNul(data: Buffer): Buffer {
  const end = data.indexOf(0);
  return end === -1 ? data : data.subarray(0, end);
}
