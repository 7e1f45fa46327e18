import { closeSync, readSync } from 'node:fs';
import { setNonBlocking } from './pipes.ts';
import { watchFd, type Watch } from './poll.ts';

/** Reads are synchronous and handed on before the next one, so all readers of a process share one buffer. */
const shared = Buffer.allocUnsafeSlow(65_536);

export interface FdReaderEvents {
  /** The bytes are valid during the call only. */
  onData(bytes: Buffer): void;
  /** After the last byte, once; not after `close`. */
  onEnd(): void;
}

/** Reads a pipe or a terminal's master as it becomes readable. Owns the descriptor. */
export class FdReader implements Disposable {
  readonly #fd: number;
  readonly #events: FdReaderEvents;
  readonly #watch: Watch;
  #state: 'open' | 'closed' = 'open';

  constructor(fd: number, events: FdReaderEvents) {
    this.#fd = fd;
    this.#events = events;
    setNonBlocking(fd);
    this.#watch = watchFd(fd, 'readable', () => this.#readOnce());
  }

  pause(): void {
    this.#watch.stop();
  }

  resume(): void {
    this.#watch.start();
  }

  /** Reads all that is there now, at most `limitBytes`. True when that reached the end. */
  drain(limitBytes: number): boolean {
    let left = limitBytes;
    while (this.#state === 'open' && left > 0) {
      const length = this.#readOnce();
      if (length === 0) break;
      left -= length;
    }
    return this.#state === 'closed';
  }

  /** Stops reading; what was not read is lost. */
  [Symbol.dispose](): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#watch[Symbol.dispose]();
    closeSync(this.#fd);
  }

  /** How many bytes came; 0 when there are none now or no more at all. */
  #readOnce(): number {
    if (this.#state === 'closed') return 0;
    let length: number;
    try {
      length = readSync(this.#fd, shared, 0, shared.length, null);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EAGAIN' || code === 'EINTR') return 0;
      // A terminal's master answers EIO once the last process has closed the other side: that is its end.
      if (code !== 'EIO') throw error;
      length = 0;
    }
    if (length > 0) {
      this.#events.onData(shared.subarray(0, length));
      return length;
    }
    this[Symbol.dispose]();
    this.#events.onEnd();
    return 0;
  }
}
