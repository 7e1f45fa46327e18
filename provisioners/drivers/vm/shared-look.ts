/**
 * For those who only look at what a slow tool tells of all its machines: who asks while another look is not begun yet shares it, for a
 * list of twenty machines asks twenty times at once. Nobody is given an answer that was begun before they asked.
 */
export class SharedLook<T> {
  readonly #look: () => Promise<T>;
  #current: Promise<unknown> = Promise.resolve();
  #next: Promise<T> | null = null;

  constructor(look: () => Promise<T>) {
    this.#look = look;
  }

  get(): Promise<T> {
    this.#next ??= this.#after(this.#current);
    return this.#next;
  }

  #after(current: Promise<unknown>): Promise<T> {
    const begun = (async () => {
      await current;
      this.#next = null;
      return await this.#look();
    })();
    this.#current = begun.catch(() => undefined);
    return begun;
  }
}
