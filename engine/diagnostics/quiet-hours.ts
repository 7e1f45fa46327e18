/** Less than this is not worth a pause. */
const worthBytes = 3 * 1024 * 1024;

export interface QuietHoursOptions {
  readonly quietMs: number;
  readonly giveBack: () => void;
  /** Memory that this process has now, in bytes. */
  readonly memory: () => number;
  /** Monotonic, in ms. */
  readonly clock: () => number;
}

/**
 * Has memory given back when nothing has happened for a while, if there is some to give since the last time. No timer runs
 * while nothing happens: an idle engine does not wake.
 */
export class QuietHours implements Disposable {
  readonly #options: QuietHoursOptions;
  #timer: NodeJS.Timeout | null = null;
  #lastAt = 0;
  #keptBytes = 0;

  constructor(options: QuietHoursOptions) {
    this.#options = options;
  }

  /** Something happened: a request, an event. Cheap. */
  stir(): void {
    this.#lastAt = this.#options.clock();
    if (this.#timer === null) this.#wait(this.#options.quietMs);
  }

  #wait(forMs: number): void {
    this.#timer = setTimeout(() => this.#look(), forMs).unref();
  }

  #look(): void {
    const { quietMs, giveBack, memory, clock } = this.#options;
    const leftMs = this.#lastAt + quietMs - clock();
    if (leftMs > 0) return this.#wait(leftMs);
    this.#timer = null;
    if (memory() - this.#keptBytes < worthBytes) return;
    giveBack();
    this.#keptBytes = memory();
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
