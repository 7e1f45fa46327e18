/** Streams of bytes one after the other over one pipe: pieces with their length in front (32 bits, little endian), an empty one at the end. */
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { ByteQueue } from '../../api/tar/byte-queue.ts';

/** More than this unread and the other side waits. */
const mostUnread = 1024 * 1024;
/** Pieces that were written whole are given on whole: each of them costs everybody on the way some time. */
const pieceBytes = 256 * 1024;

export class FrameReader {
  readonly #pipe: Duplex;
  readonly #queue = new ByteQueue();
  #left = 0;
  #wake: () => void = () => undefined;
  #failure: Error | null = null;

  constructor(pipe: Duplex) {
    this.#pipe = pipe;
    pipe.on('data', (chunk: Buffer) => {
      this.#queue.add(chunk);
      if (this.#queue.length > mostUnread) pipe.pause();
      this.#wake();
    });
    const closed = (): void => this.fail(new Error('the pipe was closed'));
    pipe.once('error', (error) => this.fail(error));
    pipe.once('close', closed);
    pipe.once('end', closed);
  }

  /** Some bytes of the stream; null at its end. The next call begins the next stream. Throws when the other side is gone. */
  async next(): Promise<Buffer | null> {
    if (this.#left === 0) {
      await this.#until(4);
      this.#left = this.#queue.take(4).readUInt32LE();
      if (this.#left === 0) return null;
    }
    const count = Math.min(this.#left, pieceBytes);
    await this.#until(count);
    this.#left -= count;
    return this.#queue.take(count);
  }

  /** Ends the waiting of `next` with this error; the pipe is of no use afterwards. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  async #until(count: number): Promise<void> {
    while (this.#queue.length < count) {
      if (this.#failure !== null) throw this.#failure;
      const more = new Promise<void>((resolve) => (this.#wake = resolve));
      this.#pipe.resume();
      await more;
    }
  }
}

/** Resolves when the pipe takes more. */
export async function writeFrame(pipe: Duplex, bytes: Uint8Array): Promise<void> {
  if (bytes.length === 0) return; // would be the end
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  pipe.write(length);
  if (!pipe.write(bytes)) await once(pipe, 'drain');
}

export function endFrames(pipe: Duplex): void {
  pipe.write(Buffer.alloc(4));
}
