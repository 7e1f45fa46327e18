/**
 * A little room on the disk that is kept for the day on which there is none: files whose blocks are given back, one by one,
 * when something cannot be written without which nothing could be stopped or removed, and so no room be made at all.
 * Whoever fills the disk takes the room of what was given back, too; hence several small files and not one.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export interface DiskReserveOptions {
  /** Holds the pieces and nothing else; made when missing. */
  readonly folder: string;
  readonly pieces: number;
  readonly pieceBytes: number;
  /** How often it is tried to fill it again while something is missing. Default 1000: a disk may be full again soon. */
  readonly refillMs?: number;
}

const unfinished = 'unfinished';

export class DiskReserve implements Disposable {
  readonly #options: DiskReserveOptions;
  #timer: NodeJS.Timeout | null = null;

  /** Nothing is written yet: `fill`. */
  constructor(options: DiskReserveOptions) {
    this.#options = options;
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  }

  /** Has it filled in a moment, when those who wait for a start have been served. */
  keep(): void {
    this.#fillLater(1000);
  }

  /** Makes what is missing; where there is no room for it, that is tried again from time to time. */
  fill(): void {
    const { folder, pieces, pieceBytes } = this.#options;
    const there = new Set(this.#pieces());
    try {
      for (let at = 0; at < pieces; at++) {
        if (there.has(`${at}`)) continue;
        // Not zeros: some file systems keep no blocks for them.
        writeFileSync(path.join(folder, unfinished), randomBytes(pieceBytes), { mode: 0o600 });
        renameSync(path.join(folder, unfinished), path.join(folder, `${at}`));
      }
    } catch (error) {
      rmSync(path.join(folder, unfinished), { force: true });
      if (!isDiskFull(error)) throw error;
      this.#fillLater();
    }
  }

  /** `work` again and again, with a piece given back each time that the disk was full; throws what it throws when none is left. */
  around<T>(work: () => T): T {
    for (;;) {
      try {
        return work();
      } catch (error) {
        if (!isDiskFull(error) || !this.release()) throw error;
      }
    }
  }

  /** Gives one piece back to the disk. False when none is left. */
  release(): boolean {
    const [piece] = this.#pieces();
    if (piece === undefined) return false;
    rmSync(path.join(this.#options.folder, piece));
    this.#fillLater();
    return true;
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #fillLater(forMs = this.#options.refillMs ?? 1_000): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.fill();
    }, forMs).unref();
  }

  #pieces(): readonly string[] {
    return readdirSync(this.#options.folder).filter((name) => name !== unfinished);
  }
}

/** Said by the kernel, or by SQLite for it (source: SQLite result codes, SQLITE_FULL). */
export function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const isFull =
    ('code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')) ||
    ('errcode' in error && error.errcode === 13);
  return isFull || isDiskFull(error.cause);
}

/** What people are told of it: SQLite's own words would have them look for a database. */
export const diskFullMessage =
  'no space left on device: free some space where the engine keeps its data, then try again';
