import { closeSync, readSync } from 'node:fs';
import { setNonBlocking } from './pipes.ts';
import { watchFd, type Watch } from './poll.ts';

/**
 * Reads a pipe as fast as who reads wants it, into memory of theirs: for bulk, where a socket on the event loop gives 64 KiB of new memory
 * at a time, which keeps the garbage collector busy. Owns the descriptor.
 */
export class PipeSource implements Disposable {
  readonly #fd: number;
  readonly #watch: Watch;
  #wake: (() => void) | null = null;
  #state: 'open' | 'ended' | 'closed' = 'open';

  constructor(fd: number) {
    this.#fd = fd;
    setNonBlocking(fd);
    this.#watch = watchFd(fd, 'readable', () => this.wake());
    this.#watch.stop();
  }

  /** What is there now, put into `room` and as much as fits there; null: nothing, or nobody who could write any more. */
  take(room: Buffer): Buffer | null {
    if (this.#state !== 'open') return null;
    let length: number;
    try {
      length = readSync(this.#fd, room);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EAGAIN' || code === 'EINTR') return null;
      throw error;
    }
    if (length === 0) {
      this.#state = 'ended';
      return null;
    }
    return room.subarray(0, length);
  }

  /** Resolves when there is something to take or `wake` is called: who knows why a pipe has ended calls it. One wait at a time. */
  async wait(): Promise<void> {
    if (this.#state === 'closed') return;
    if (this.#state === 'open') this.#watch.start();
    await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  wake(): void {
    if (this.#wake === null) return;
    this.#watch.stop();
    this.#wake();
    this.#wake = null;
  }

  [Symbol.dispose](): void {
    if (this.#state === 'closed') return;
    this.wake();
    this.#state = 'closed';
    this.#watch[Symbol.dispose]();
    closeSync(this.#fd);
  }
}
