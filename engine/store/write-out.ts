/**
 * Rows that stand before their files are known to be on the disk. Waiting for a disk takes a third of a pull, and what a power cut
 * takes of a pull can be pulled again. So such a row carries a *mark* until a write-out that began after it has ended. A kill leaves
 * marks of this boot: the kernel still has the files. A power cut leaves marks of a boot that is over: these rows are *lost*, and so is
 * what stands on them. Nothing that cannot be had again may stand on a marked row: `settled` first.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../diagnostics/log.ts';
import type { Database } from './database.ts';
import type { DiskReserve } from './disk-reserve.ts';
import { SharedSync } from './shared-sync.ts';

/** Takes the mark of the row that has it, in a transaction: it is on the disk, or never will be. */
export type Settle = (mark: string, outcome: 'written' | 'lost') => void;

/** At the latest so many times `quietMs` after the first row is marked. */
const mostQuiets = 10;

/** How long the engine's end may wait for the disk. What is not written by then keeps its mark. */
const endMs = 20_000;

export class WriteOut implements AsyncDisposable {
  readonly #database: Database;
  readonly #reserve: Pick<DiskReserve, 'around'>;
  readonly #log: Log;
  readonly #bootId: string;
  readonly #quietMs: number;
  readonly #sync: SharedSync;
  readonly #marked = new Map<string, Settle>();
  #onLost: () => void = () => undefined;
  #timer: NodeJS.Timeout | null = null;
  #sinceMs = 0;

  constructor(parts: {
    readonly database: Database;
    /** Writes all that is written to the disk, and resolves when it is there. */
    readonly sync: () => Promise<void>;
    /** What the kernel calls its run since the computer was started. */
    readonly bootId: string;
    readonly log: Log;
    /** Without a new row for so long, marked ones are written out. Default: 500. */
    readonly quietMs?: number;
    /** Room to settle rows with when there is none. */
    readonly reserve: Pick<DiskReserve, 'around'>;
  }) {
    this.#database = parts.database;
    this.#reserve = parts.reserve;
    this.#log = parts.log;
    this.#bootId = parts.bootId;
    this.#quietMs = parts.quietMs ?? 500;
    this.#sync = new SharedSync(() => this.#write(parts.sync));
  }

  /** A mark for a row that is about to be written, whose files are. It is settled by a write-out that begins by itself when things are quiet. */
  mark(settle: Settle): string {
    const mark = `${this.#bootId} ${randomBytes(8).toString('hex')}`;
    this.#await(mark, settle);
    return mark;
  }

  /** At opening: a mark that an earlier run of the engine left. Settles it as lost when the computer was started since. */
  takeUp(mark: string, settle: Settle): void {
    if (mark.startsWith(`${this.#bootId} `)) this.#await(mark, settle);
    else this.#settle([[mark, settle]], 'lost');
  }

  /** Resolves when all that was written before this call is on the disk. */
  reach(): Promise<void> {
    return this.#sync.reach();
  }

  /** Resolves when no row that stands now is marked: at once, mostly. */
  async settled(): Promise<void> {
    if (this.#marked.size > 0) await this.reach();
  }

  /** Called when marked rows were lost while the engine runs: the disk did not take what the kernel had accepted. */
  onLost(listener: () => void): void {
    this.#onLost = listener;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer ?? undefined);
    const ended = new AbortController();
    const written = this.settled().catch(() => undefined); // told already
    await Promise.race([written, delay(endMs, undefined, { signal: ended.signal }).catch(() => undefined)]);
    ended.abort();
  }

  #await(mark: string, settle: Settle): void {
    if (this.#marked.size === 0) this.#sinceMs = performance.now();
    this.#marked.set(mark, settle);
    clearTimeout(this.#timer ?? undefined);
    const leftMs = this.#sinceMs + mostQuiets * this.#quietMs - performance.now();
    const begin = (): void => void this.settled().catch(() => undefined); // told already
    this.#timer = setTimeout(begin, Math.max(0, Math.min(this.#quietMs, leftMs))).unref();
  }

  async #write(sync: () => Promise<void>): Promise<void> {
    const covered = [...this.#marked];
    try {
      await sync();
    } catch (error) {
      this.#log.error('the disk did not take what was written', { error });
      this.#settle(covered, 'lost');
      if (covered.length > 0) this.#onLost();
      throw error;
    }
    this.#settle(covered, 'written');
  }

  #settle(covered: readonly (readonly [string, Settle])[], outcome: 'written' | 'lost'): void {
    if (covered.length === 0) return;
    this.#reserve.around(() =>
      this.#database.transaction(() => covered.forEach(([mark, settle]) => settle(mark, outcome)), 'ordered'),
    );
    for (const [mark] of covered) this.#marked.delete(mark);
  }
}
