import { parseInstant, type Instant } from '../model/time.ts';

/** One line of a container's output, with its newline if it had one. */
export interface LogRecord {
  readonly stream: 'stdout' | 'stderr';
  /** When its first part was read. */
  readonly time: Instant;
  readonly payload: Buffer;
  /** False for the later pieces of a line that is too long to be held in one piece (1 MiB). */
  readonly startsLine: boolean;
  /** Labels, variables and tag that stand in the record; null: none. */
  readonly attributes: Readonly<Record<string, string>> | null;
}

const pieceBytes = 1024 * 1024;

interface OpenLine {
  parts: Buffer[];
  bytes: number;
  time: Instant;
  attributes: LogRecord['attributes'];
  isContinued: boolean;
}

/** Puts together the lines that were stored in parts. */
export class LineJoiner {
  readonly #open = new Map<LogRecord['stream'], OpenLine>();

  /** `line`: one line of the file. */
  push(line: Buffer): readonly LogRecord[] {
    const stored = parseStored(line);
    if (stored === null) return [];
    const { stream, time, payload, attributes } = stored;
    const open = this.#open.get(stream) ?? { parts: [], bytes: 0, time, attributes, isContinued: false };
    open.parts.push(payload);
    open.bytes += payload.length;
    const isWhole = payload.at(-1) === 0x0a;
    if (!isWhole && open.bytes < pieceBytes) {
      this.#open.set(stream, open);
      return [];
    }
    if (isWhole) this.#open.delete(stream);
    else this.#open.set(stream, { ...open, parts: [], bytes: 0, isContinued: true });
    return [recordOf(stream, open)];
  }

  /** The lines that have no end: the last ones. */
  flush(): readonly LogRecord[] {
    const rest = [...this.#open].filter(([, { bytes }]) => bytes > 0);
    this.#open.clear();
    return rest.map(([stream, open]) => recordOf(stream, open));
  }
}

function recordOf(stream: LogRecord['stream'], open: OpenLine): LogRecord {
  const [first] = open.parts;
  const payload = open.parts.length === 1 && first !== undefined ? first : Buffer.concat(open.parts);
  return { stream, time: open.time, payload, startsLine: !open.isContinued, attributes: open.attributes };
}

function parseStored(line: Buffer): Pick<LogRecord, 'stream' | 'time' | 'payload' | 'attributes'> | null {
  let stored: unknown;
  try {
    stored = JSON.parse(line.toString());
  } catch {
    return null;
  }
  if (typeof stored !== 'object' || stored === null) return null;
  const { log, stream, time, attrs } = stored as Readonly<Record<string, unknown>>;
  if (typeof log !== 'string' || typeof time !== 'string' || (stream !== 'stdout' && stream !== 'stderr')) return null;
  const instant = parseInstant(time);
  return instant === null ? null : { stream, time: instant, payload: Buffer.from(log), attributes: textsOf(attrs) };
}

function textsOf(value: unknown): LogRecord['attributes'] {
  if (typeof value !== 'object' || value === null) return null;
  return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)]));
}
