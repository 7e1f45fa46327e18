/** Bytes of a stream, asked for by their number. */
export class ByteInput implements AsyncDisposable {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #onEarlyEnd: () => Error;
  #rest: Buffer = Buffer.alloc(0);
  #taken = 0;

  /** `onEarlyEnd`: what is thrown when more is asked for than there is. */
  constructor(source: AsyncIterable<Buffer>, onEarlyEnd: () => Error) {
    this.#chunks = source[Symbol.asyncIterator]();
    this.#onEarlyEnd = onEarlyEnd;
  }

  /** How many bytes were taken so far. */
  get taken(): number {
    return this.#taken;
  }

  /** Fewer bytes only at the end of the source. */
  async peek(count: number): Promise<Buffer> {
    if (this.#rest.length >= count) return this.#rest.subarray(0, count);
    const parts = [this.#rest];
    let length = this.#rest.length;
    while (length < count) {
      const next = await this.#chunks.next();
      if (next.done === true) break;
      parts.push(next.value);
      length += next.value.length;
    }
    this.#rest = Buffer.concat(parts, length);
    return this.#rest.subarray(0, count);
  }

  async exactly(count: number): Promise<Buffer> {
    const bytes = await this.peek(count);
    if (bytes.length < count) throw this.#onEarlyEnd();
    this.skip(count);
    return bytes;
  }

  async byte(): Promise<number> {
    return (await this.exactly(1))[0] ?? 0;
  }

  /** Of what has been peeked at. */
  skip(count: number): void {
    this.#rest = this.#rest.subarray(count);
    this.#taken += count;
  }

  async *pieces(count: number): AsyncGenerator<Buffer, void, void> {
    for (let left = count; left > 0;) {
      const some = await this.exactly(Math.min(left, Math.max(1, this.#rest.length)));
      left -= some.length;
      yield some;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chunks.return?.(undefined);
  }
}
