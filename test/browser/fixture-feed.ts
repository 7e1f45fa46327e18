/** Something that grows and is read from any point on: a log in memory. */
export class Feed<T> {
  readonly #items: T[] = [];
  readonly #wakes = new Set<() => void>();
  #isEnded = false;

  write(...items: readonly T[]): void {
    this.#items.push(...items);
    for (const wake of this.#wakes) wake();
  }

  /** Readers get what is there and then end. */
  end(): void {
    this.#isEnded = true;
    for (const wake of this.#wakes) wake();
  }

  /** The last `tail` items (null: all) and then, with `follow`, what comes, in batches as large as the reader is slow. */
  async *read(options: {
    readonly tail: number | null;
    readonly follow: boolean;
    readonly signal: AbortSignal;
  }): AsyncGenerator<readonly T[]> {
    const { tail, follow, signal } = options;
    let at = tail === null ? 0 : Math.max(0, this.#items.length - tail);
    while (!signal.aborted) {
      if (at < this.#items.length) {
        const batch = this.#items.slice(at, at + 1_000);
        at += batch.length;
        yield batch;
        continue;
      }
      if (!follow || this.#isEnded) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = (): void => resolve();
      this.#wakes.add(wake);
      signal.addEventListener('abort', wake, { once: true });
      await promise;
      this.#wakes.delete(wake);
      signal.removeEventListener('abort', wake);
    }
  }
}
