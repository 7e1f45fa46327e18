/** Whoever starts a program connects to it a moment later: on a computer that is busy, seconds later. */
const comesWithinMs = 10_000;

/**
 * When a program that lives for those who use it ends by itself: once nobody has used it for `idleMs`. Who started it has
 * longer to come for the first time.
 */
export class IdleEnd implements Disposable {
  readonly #idleMs: number;
  readonly #end: () => void;
  #wasUsed = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(parts: { readonly idleMs: number; readonly end: () => void }) {
    this.#idleMs = parts.idleMs;
    this.#end = parts.end;
  }

  used(): void {
    this.#wasUsed = true;
    this[Symbol.dispose]();
  }

  /** Counts from the first call since it was used. */
  unused(): void {
    this.#timer ??= setTimeout(this.#end, this.#wasUsed ? this.#idleMs : Math.max(this.#idleMs, comesWithinMs));
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
