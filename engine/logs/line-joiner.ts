import { parseInstant, type Instant } from '../model/time.ts';
import { parseStoredRecord, type StoredRecord } from './stored-record.ts';

/** One line of a container's output, with its newline if it had one. */
export class LogRecord {
  readonly stream: 'stdout' | 'stderr';
  readonly payload: Buffer;
  /** When its first part was read; RFC 3339. */
  readonly timeText: string;
  /** Labels, variables and tag that stand in the record; null: none. */
  readonly attributes: Readonly<Record<string, string>> | null;
  /** False for the later pieces of a line that is too long to be held in one piece (1 MiB). */
  readonly startsLine: boolean;

  constructor(stored: StoredRecord, startsLine: boolean) {
    this.stream = stored.stream;
    this.payload = stored.payload;
    this.timeText = stored.timeText;
    this.attributes = stored.attributes;
    this.startsLine = startsLine;
  }

  get time(): Instant {
    return parseInstant(this.timeText) ?? 0n;
  }
}

const pieceBytes = 1024 * 1024;
const lineFeed = 0x0a;

interface OpenLine {
  readonly first: StoredRecord;
  parts: Buffer[];
  bytes: number;
  isContinued: boolean;
}

/** Puts together the lines that were stored in parts. */
export class LineJoiner {
  readonly #open = new Map<LogRecord['stream'], OpenLine>();

  /** `line`: one line of the file, which is changed by this. Null when it completes no record. */
  push(line: Buffer): LogRecord | null {
    const stored = parseStoredRecord(line);
    if (stored === null) return null;
    const { stream, payload } = stored;
    const isWhole = payload.at(-1) === lineFeed;
    if (isWhole && this.#open.size === 0) return new LogRecord(stored, true);
    const open = this.#open.get(stream) ?? { first: stored, parts: [], bytes: 0, isContinued: false };
    open.parts.push(payload);
    open.bytes += payload.length;
    if (!isWhole && open.bytes < pieceBytes) {
      this.#open.set(stream, open);
      return null;
    }
    const record = recordOf(open);
    if (isWhole) this.#open.delete(stream);
    else this.#open.set(stream, { first: open.first, parts: [], bytes: 0, isContinued: true });
    return record;
  }

  /** The lines that have no end: the last ones. */
  flush(): readonly LogRecord[] {
    const rest = [...this.#open.values()].filter(({ bytes }) => bytes > 0);
    this.#open.clear();
    return rest.map(recordOf);
  }
}

function recordOf({ first, parts, isContinued }: OpenLine): LogRecord {
  const payload = parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  return new LogRecord({ ...first, payload }, !isContinued);
}
