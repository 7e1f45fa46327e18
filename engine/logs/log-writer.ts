import type { Instant } from '../model/time.ts';

/** Takes a container's output as it comes. Disposing closes it; nothing may be written after that. */
export interface LogWriter extends Disposable {
  /** Time of the last record that can be read again; 0 when there is none. */
  readonly lastRecordAt: Instant;
  /** Throws when nothing can be kept now (no space): what was given is lost then, what comes later is tried again. */
  write(stream: 'stdout' | 'stderr', bytes: Buffer): void;
  /** No more will come: lines that have no end are complete. */
  finish(): void;
}
