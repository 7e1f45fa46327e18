/** Bits of a buffer, the highest of each byte first. */
export class BitReader {
  readonly #bytes: Buffer;
  readonly #onEarlyEnd: () => Error;
  #at: number;

  /** Begins `offset` bits behind the buffer's start. */
  constructor(bytes: Buffer, offset: number, onEarlyEnd: () => Error) {
    this.#bytes = bytes;
    this.#at = offset;
    this.#onEarlyEnd = onEarlyEnd;
  }

  /** Bits behind the buffer's start. */
  get position(): number {
    return this.#at;
  }

  /** At most 24. */
  read(count: number): number {
    if (this.#at + count > this.#bytes.length * 8) throw this.#onEarlyEnd();
    const first = this.#at >>> 3;
    const bytes = this.#bytes;
    const word =
      (((bytes[first] ?? 0) << 24) |
        ((bytes[first + 1] ?? 0) << 16) |
        ((bytes[first + 2] ?? 0) << 8) |
        (bytes[first + 3] ?? 0)) >>>
      0;
    const value = (word << (this.#at & 7)) >>> (32 - count);
    this.#at += count;
    return value;
  }
}
