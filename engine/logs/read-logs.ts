import type { Instant } from '../model/time.ts';

/** One line of a container's output, with its newline if it had one. */
export interface LogRecord {
  readonly stream: 'stdout' | 'stderr';
  readonly time: Instant;
  readonly payload: Buffer;
  /** False for the later pieces of a line that is too long to be held in one piece (1 MiB). */
  readonly startsLine: boolean;
}
