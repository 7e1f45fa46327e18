import { closeSync, writeSync } from 'node:fs';
import { setNonBlocking } from './pipes.ts';
import { watchFd, type Watch } from './poll.ts';

/**
 * Writes to a pipe or a terminal's master without waiting: what does not fit is kept and written when there is room. Owns
 * the descriptor.
 */
export class FdWriter implements Disposable {
  readonly #fd: number;
  readonly #watch: Watch;
  readonly #queue: Buffer[] = [];
  #queuedBytes = 0;
  #state: 'open' | 'ending' | 'closed' = 'open';
  #waiting: (() => void)[] = [];

  constructor(fd: number) {
    this.#fd = fd;
    setNonBlocking(fd);
    this.#watch = watchFd(fd, 'writable', () => this.#flush());
    this.#watch.stop();
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Dropped silently once nobody reads the other end: a program may well end before it has read all its input. */
  write(bytes: Buffer): void {
    if (this.#state !== 'open' || bytes.length === 0) return;
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    if (this.#queue.length === 1) this.#flush();
  }

  /** Calls once all that is queued now has been written, or cannot be any more. */
  onceWritten(callback: () => void): void {
    if (this.#queuedBytes === 0) callback();
    else this.#waiting.push(callback);
  }

  /** The end of file, after what is queued. */
  end(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    if (this.#queuedBytes === 0) this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#watch[Symbol.dispose]();
    closeSync(this.#fd);
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.#wake();
  }

  #flush(): void {
    try {
      for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
        const length = writeSync(this.#fd, first);
        this.#queuedBytes -= length;
        if (length < first.length) this.#queue[0] = first.subarray(length);
        else this.#queue.shift();
      }
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EAGAIN' || code === 'EINTR') return this.#watch.start();
      if (code !== 'EPIPE' && code !== 'EIO') throw error;
      return this[Symbol.dispose]();
    }
    this.#watch.stop();
    if (this.#state === 'ending') this[Symbol.dispose]();
    else this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const callback of waiting) callback();
  }
}
