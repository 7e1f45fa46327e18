/** Items between a link that pushes and a loop that pulls. Its length is bounded by the credits that the loop has given. */
export class ItemQueue {
  #items: unknown[] = [];
  #ended: { readonly error: Error | null } | null = null;
  #wake: (() => void) | null = null;

  get length(): number {
    return this.#items.length;
  }

  put(item: unknown): void {
    if (this.#ended) return;
    this.#items.push(item);
    this.#wake?.();
  }

  /** What is queued is still given out, unless it is to be discarded. The first end counts. */
  end(error: Error | null, queued: 'keep' | 'discard' = 'keep'): void {
    if (queued === 'discard') this.#items = [];
    this.#ended ??= { error };
    this.#wake?.();
  }

  /** The next item, or null at the end; throws the error that it ended with. One caller at a time. */
  async take(): Promise<{ readonly item: unknown } | null> {
    while (this.#items.length === 0) {
      if (this.#ended?.error) throw this.#ended.error;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = null;
    }
    return { item: this.#items.shift() };
  }
}
