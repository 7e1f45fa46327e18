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
 * Records in the order of the log, in batches as they are found. What is kept nowhere (the driver `none`) cannot be read:
 * `not-implemented`, in docker's words. A log that is not there (the container never ran) is empty. Lines that are no records
 * are passed over: a crash may have cut one.
 */
export async function* readLogs(options: ReadLogsOptions): AsyncGenerator<readonly LogRecord[], void, void> {
  const { plan, follow, signal } = options;
  const readable = readableFiles(plan);
  if (readable === null) throw notImplemented('configured logging driver does not support reading');
  using files = await LogFiles.open(readable, follow === null ? 'stay' : 'follow');
  const joiner = new LineJoiner();
  if (options.tail !== null) files.seekBeforeLines(options.tail, options.streams);
  for (;;) {
    // Asked before reading: what was written before the end is read after it.
    const isLastRound = follow === null || follow.containerEnded.aborted;
    for (;;) {
      const lines = await files.readLines(batchLines);
      if (lines.length === 0) break;
      const batch = within(
        lines.flatMap((line) => joiner.push(line) ?? []),
        options,
      );
      if (batch.records.length > 0) yield batch.records;
      if (batch.isOver) return;
      await new Promise((resolve) => setImmediate(resolve));
      if (signal.aborted) return;
    }
    if (isLastRound) break;
    await files.changed(AbortSignal.any([signal, follow.containerEnded]));
    if (signal.aborted) return;
  }
  const last = within(joiner.flush(), options).records;
  if (last.length > 0) yield last;
}

/** Those that are wanted; `isOver`: the rest of the log comes after `until`. */
function within(
  records: readonly LogRecord[],
  { streams, since, until }: ReadLogsOptions,
): { readonly records: readonly LogRecord[]; readonly isOver: boolean } {
  const end = until === null ? -1 : records.findIndex(({ time }) => time > until);
  const early = end === -1 ? records : records.slice(0, end);
  const isWanted = ({ stream, time }: LogRecord): boolean =>
    streams.includes(stream) && (since === null || time >= since);
  const isAll = since === null && streams.length === 2;
  return { records: isAll ? early : early.filter(isWanted), isOver: end !== -1 };
}
