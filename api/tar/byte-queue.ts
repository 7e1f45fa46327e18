/** Bytes that have come and are not read yet. Slices, never copies, unless what is asked for spans two chunks. */
export class ByteQueue {
  #chunks: Buffer[] = [];
  #head = 0;
  #length = 0;
  #taken = 0;
  #isClosed = false;

  get length(): number {
    return this.#length;
  }

  /** How many bytes were taken so far: the position in the stream. */
  get taken(): number {
    return this.#taken;
  }

  /** True once nothing will be added any more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  add(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  close(): void {
    this.#isClosed = true;
  }

  /** Exactly `count` bytes; the caller knows that they are there. */
  take(count: number): Buffer {
    if (count > this.#length) throw new RangeError(`${count} bytes asked for, ${this.#length} there`);
    const first = this.takeSome(count);
    if (first.length === count) return first;
    const parts = [first];
    for (let have = first.length; have < count;) {
      const part = this.takeSome(count - have);
      parts.push(part);
      have += part.length;
    }
    return Buffer.concat(parts, count);
  }

  /** What lies in one piece: at least one byte unless the queue is empty, at most `most`. */
  takeSome(most: number): Buffer {
    const chunk = this.#chunks[this.#head];
    if (chunk === undefined || most === 0) return Buffer.alloc(0);
    const part = chunk.subarray(0, most);
    this.#length -= part.length;
    this.#taken += part.length;
    if (part.length === chunk.length) this.#dropHead();
    else this.#chunks[this.#head] = chunk.subarray(part.length);
    return part;
  }

  #dropHead(): void {
    this.#head += 1;
    if (this.#head === this.#chunks.length) {
      this.#chunks = [];
      this.#head = 0;
    }
  }
}
