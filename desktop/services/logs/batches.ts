/**
 * Lines gathered while the reader is busy, given out together when it asks. A writer waits once too many are gathered, which
 * stops the reading of the socket, and so in the end the engine: memory stays bounded however slow the page is.
 */
import type { LogLine } from '../../contract/logs.ts';

/** About what a screen shows many times over, and still one small message. */
const mostPerBatch = 1000;
const mostHeld = 4 * mostPerBatch;

export class Batches {
  #lines: LogLine[] = [];
  #ended: { readonly error: unknown } | null = null;
  #readerWake: (() => void) | null = null;
  #writerWake: (() => void) | null = null;

  /** Resolves when there is room for more; at once after the end, since nobody will read. */
  async put(lines: readonly LogLine[]): Promise<void> {
    if (this.#ended) return;
    // Not spread into push: a batch may hold more lines than a call may have arguments.
    for (const line of lines) this.#lines.push(line);
    if (this.#lines.length > 0) this.#readerWake?.();
    while (this.#lines.length >= mostHeld && !this.#ended) {
      await new Promise<void>((resolve) => (this.#writerWake = resolve));
    }
  }

  /** Nothing more comes; what is gathered is still given out, then the error is thrown, if there is one. */
  end(error: unknown = null): void {
    this.#ended ??= { error };
    this.#readerWake?.();
    this.#writerWake?.();
  }

  /** The next lines, at least one; null at the end. */
  async take(): Promise<LogLine[] | null> {
    while (this.#lines.length === 0) {
      if (this.#ended?.error) throw this.#ended.error;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => (this.#readerWake = resolve));
      this.#readerWake = null;
    }
    const taken = this.#lines.slice(0, mostPerBatch);
    this.#lines = this.#lines.slice(mostPerBatch);
    this.#writerWake?.();
    this.#writerWake = null;
    return taken;
  }
}
