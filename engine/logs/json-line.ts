/**
 * One record of docker's json-file: `{"log":"…\n","stream":"stdout","time":"…"}` and a newline. The bytes of the container
 * are escaped straight from one buffer into another, as docker escapes them: a log line makes no garbage here.
 * Bytes that are not UTF-8 become U+FFFD, which the format cannot avoid.
 */

const head = Buffer.from('{"log":"');
const newline = Buffer.from('\\n');
/** What stands between the text of a record and its time. */
export type RecordMiddle = Readonly<Record<'stdout' | 'stderr', Buffer>>;

/** `attributes` come in the order of their names, as docker writes them; none at all when it is empty. */
export function recordMiddle(attributes: Readonly<Record<string, string>>): RecordMiddle {
  const sorted = Object.entries(attributes).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const attrs = sorted.length === 0 ? '' : `"attrs":${JSON.stringify(Object.fromEntries(sorted))},`;
  const of = (stream: string): Buffer => Buffer.from(`","stream":"${stream}",${attrs}"time":"`);
  return { stdout: of('stdout'), stderr: of('stderr') };
}

const tail = Buffer.from('"}\n');
const hex = Buffer.from('0123456789abcdef');
const replacement = Buffer.from('\\ufffd');
/** Longest text of a time: 2026-11-21T09:00:00.123456789Z */
export const timeBytes = 30;

/** 1 for bytes that go into a JSON string as they are. `<`, `>` and `&` are escaped because docker does it. */
const plain = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte < 0x80 && !'"\\<>&'.includes(String.fromCharCode(byte)) ? 1 : 0,
);

/** What a record of `length` bytes takes at most. */
export function recordBytes(length: number, middle: RecordMiddle): number {
  return length * 6 + head.length + newline.length + middle.stdout.length + timeBytes + tail.length;
}

export interface RecordParts {
  readonly source: Buffer;
  readonly start: number;
  readonly end: number;
  readonly endsLine: boolean;
  readonly stream: 'stdout' | 'stderr';
  readonly middle: RecordMiddle;
  /** ASCII text of the time. */
  readonly time: Buffer;
  readonly timeLength: number;
}

/** Writes a record at `at`, where there must be room for `recordBytes`; returns where it ends. */
export function encodeRecord(target: Buffer, at: number, parts: RecordParts): number {
  let to = append(target, at, head, head.length);
  to = escape(target, to, parts);
  if (parts.endsLine) to = append(target, to, newline, newline.length);
  const middle = parts.middle[parts.stream];
  to = append(target, to, middle, middle.length);
  to = append(target, to, parts.time, parts.timeLength);
  return append(target, to, tail, tail.length);
}

/** For a few bytes a loop is faster than Buffer's own copy, which crosses into native code. */
function append(target: Buffer, at: number, source: Buffer, length: number): number {
  for (let index = 0; index < length; index += 1) target[at + index] = source[index] ?? 0;
  return at + length;
}

function escape(target: Buffer, at: number, { source, start, end }: RecordParts): number {
  let to = at;
  let from = start;
  while (from < end) {
    const byte = source[from] ?? 0;
    if (plain[byte] === 1) {
      target[to++] = byte;
      from += 1;
    } else if (byte < 0x80) {
      to = escapeAscii(target, to, byte);
      from += 1;
    } else {
      const length = sequenceLength(source, from, end);
      to =
        length === 0 ? append(target, to, replacement, replacement.length) : copyRune(target, to, source, from, length);
      from += length === 0 ? 1 : length;
    }
  }
  return to;
}

const quote = 0x22;
const backslash = 0x5c;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;

function escapeAscii(target: Buffer, at: number, byte: number): number {
  let to = at;
  target[to++] = backslash;
  if (byte === quote || byte === backslash) target[to++] = byte;
  else if (byte === lineFeed) target[to++] = 0x6e;
  else if (byte === carriageReturn) target[to++] = 0x72;
  else {
    target[to++] = 0x75;
    target[to++] = 0x30;
    target[to++] = 0x30;
    target[to++] = hex[byte >> 4] ?? 0;
    target[to++] = hex[byte & 15] ?? 0;
  }
  return to;
}

/** U+2028 and U+2029 are escaped: they are line ends to JavaScript before 2019. */
function copyRune(target: Buffer, at: number, source: Buffer, from: number, length: number): number {
  const last = source[from + 2] ?? 0;
  if (length === 3 && source[from] === 0xe2 && source[from + 1] === 0x80 && (last === 0xa8 || last === 0xa9)) {
    const escaped = Buffer.from(last === 0xa8 ? '\\u2028' : '\\u2029');
    return append(target, at, escaped, escaped.length);
  }
  for (let index = 0; index < length; index += 1) target[at + index] = source[from + index] ?? 0;
  return at + length;
}

/** Length of the UTF-8 sequence that starts here, or 0 when there is none (source: Unicode, table 3-7). */
function sequenceLength(source: Buffer, at: number, end: number): number {
  const first = source[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + length > end) return 0;
  const second = source[at + 1] ?? 0;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let index = 2; index < length; index += 1) if (((source[at + index] ?? 0) & 0xc0) !== 0x80) return 0;
  return length;
}
