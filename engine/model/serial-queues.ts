/** A serial queue for each name: work of one name goes one after the other, work of different names side by side. */
export class SerialQueues {
  readonly #tails = new Map<string, Promise<unknown>>();

  run<T>(name: string, work: () => T | Promise<T>): Promise<T> {
    const result = (this.#tails.get(name) ?? Promise.resolve()).then(work);
    const tail = result
      .catch(() => undefined)
      .then(() => {
        if (this.#tails.get(name) === tail) this.#tails.delete(name);
      });
    this.#tails.set(name, tail);
    return result;
  }
}
