/**
 * One line of a json-file, taken apart. Almost all are as this engine and docker write them, and those are read as bytes: the
 * text is unescaped where it stands, and the time is only understood when somebody asks for it. Everything else is JSON.
 */
import { parseInstant, type Instant } from '../model/time.ts';

export interface StoredRecord {
  readonly stream: 'stdout' | 'stderr';
  /** With its newline, if it has one. */
  readonly payload: Buffer;
  /** RFC 3339. */
  readonly timeText: string;
  readonly attributes: Readonly<Record<string, string>> | null;
}

const head = Buffer.from('{"log":"');
const middles = {
  stdout: Buffer.from('","stream":"stdout","time":"'),
  stderr: Buffer.from('","stream":"stderr","time":"'),
};
const middleBytes = middles.stdout.length;
/** `","stream":"`: the first of its kind ends the text, whose own quotes are escaped. */
const streamMark = middles.stdout.subarray(0, 12);
const backslash = 0x5c;
const lineFeed = 0x0a;
/** Shortest text of a time. */
const timeBytes = '2026-11-21T09:00:00Z'.length;

/** Null when it is no record. The line is changed: its bytes become those of the payload. */
export function parseStoredRecord(line: Buffer): StoredRecord | null {
  return parseBytes(line) ?? parseJson(line);
}

/** Time of a record; null when the line is none. */
export function storedTime(line: Buffer): Instant | null {
  const mark = '"time":"';
  const start = line.lastIndexOf(mark) + mark.length;
  return parseInstant(line.toString('latin1', start, line.indexOf('"', start)));
}

function parseBytes(line: Buffer): StoredRecord | null {
  if (line.length < head.length || head.compare(line, 0, head.length) !== 0) return null;
  const at = line.indexOf(streamMark, head.length);
  if (at === -1) return null;
  const stream = isAt(line, middles.stdout, at) ? 'stdout' : isAt(line, middles.stderr, at) ? 'stderr' : null;
  const end = line.length - 2;
  const timeStart = at + middleBytes;
  // Attributes, or a time that is cut off.
  if (stream === null || end - timeStart < timeBytes || line[end] !== 0x22 || line[end + 1] !== 0x7d) return null;
  const timeText = line.toString('latin1', timeStart, end);
  const payloadEnd = unescape(line, head.length, at);
  if (payloadEnd === -1) return null;
  return { stream, payload: line.subarray(head.length, payloadEnd), timeText, attributes: null };
}

function isAt(line: Buffer, bytes: Buffer, at: number): boolean {
  return at + bytes.length <= line.length && bytes.compare(line, at, at + bytes.length) === 0;
}

/** In place, since nothing becomes longer; where the text ends then, or -1, with nothing changed, for escapes that are not these. */
function unescape(line: Buffer, start: number, end: number): number {
  const first = line.indexOf(backslash, start);
  if (first === -1 || first >= end) return end;
  // A line without anything to escape, and its newline.
  if (first === end - 2 && line[end - 1] === 0x6e) {
    line[first] = lineFeed;
    return end - 1;
  }
  for (let at = first; at !== -1 && at < end; at = line.indexOf(backslash, at + 2))
    if (!'nrtbf"\\/u'.includes(String.fromCharCode(line[at + 1] ?? 0))) return -1;
  const text = JSON.parse(`"${line.toString('utf8', first, end)}"`) as string;
  return first + line.write(text, first);
}

function parseJson(line: Buffer): StoredRecord | null {
  let stored: unknown;
  try {
    stored = JSON.parse(line.toString());
  } catch {
    return null;
  }
  if (typeof stored !== 'object' || stored === null) return null;
  const { log, stream, time, attrs } = stored as Readonly<Record<string, unknown>>;
  if (typeof log !== 'string' || typeof time !== 'string' || (stream !== 'stdout' && stream !== 'stderr')) return null;
  if (parseInstant(time) === null) return null;
  return { stream, payload: Buffer.from(log), timeText: time, attributes: textsOf(attrs) };
}

function textsOf(value: unknown): StoredRecord['attributes'] {
  if (typeof value !== 'object' || value === null) return null;
  return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)]));
}
