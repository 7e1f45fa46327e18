/** Reading a container's json-file: from the end backwards for the last lines, onwards while it is written. */
import { notImplemented } from '../model/errors.ts';
import type { Instant } from '../model/time.ts';
import { LineJoiner, type LogRecord } from './line-joiner.ts';
import { LogFiles } from './log-files.ts';
import { readableFiles, type LogPlan } from './log-plan.ts';

export type { LogRecord } from './line-joiner.ts';

export interface ReadLogsOptions {
  readonly plan: LogPlan;
  readonly streams: readonly ('stdout' | 'stderr')[];
  /** The last so many lines of those streams; null: all. */
  readonly tail: number | null;
  /** Records of this time and later; null: from the beginning. */
  readonly since: Instant | null;
  /** Records of this time and earlier; null: to the end. */
  readonly until: Instant | null;
  /** Not null: new records are awaited until the container has ended, and all that it wrote has been given. */
  readonly follow: { readonly containerEnded: AbortSignal } | null;
  /** The reader has gone: the iteration ends at once, without an error. */
  readonly signal: AbortSignal;
}

/** A batch of this size is looked at between two looks at what else there is to do. */
const batchLines = 1000;

/**
 * Records in the order of the log. What is kept nowhere (the driver `none`) cannot be read: `not-implemented`, in docker's words. A log that is
 * not there (the container never ran) is empty. Lines that are no records are passed over: a crash may have cut one.
 */
export async function* readLogs(options: ReadLogsOptions): AsyncGenerator<LogRecord, void, void> {
  const { plan, follow, signal } = options;
  const readable = readableFiles(plan);
  if (readable === null) throw notImplemented('configured logging driver does not support reading');
  using files = await LogFiles.open(readable, follow === null ? 'stay' : 'follow');
  const joiner = new LineJoiner();
  const wants = (record: LogRecord): boolean =>
    options.streams.includes(record.stream) && (options.since === null || record.time >= options.since);
  const isLate = (record: LogRecord): boolean => options.until !== null && record.time > options.until;

  if (options.tail !== null) files.seekBeforeLines(options.tail, options.streams);
  for (;;) {
    // Asked before reading: what was written before the end is read after it.
    const isLastRound = follow === null || follow.containerEnded.aborted;
    for (;;) {
      const lines = await files.readLines(batchLines);
      if (lines.length === 0) break;
      for (const line of lines) {
        for (const record of joiner.push(line)) {
          if (signal.aborted || isLate(record)) return;
          if (wants(record)) yield record;
        }
      }
      await new Promise((resolve) => setImmediate(resolve));
      if (signal.aborted) return;
    }
    if (isLastRound) break;
    await files.changed(AbortSignal.any([signal, follow.containerEnded]));
    if (signal.aborted) return;
  }
  for (const record of joiner.flush()) if (!isLate(record) && wants(record)) yield record;
}
