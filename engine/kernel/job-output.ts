import type { PipeSource } from './pipe-source.ts';

/** `fleeting`: each piece is good until the next is asked for. Who hands it on at once spares the memory, and its collection. */
export type Pieces = 'lasting' | 'fleeting';

const roomBytes = 1024 * 1024;
/** A read into less room than this costs more than it brings. */
const leastRoomBytes = 64 * 1024;

/** What one job of a worker writes to its output. The worker says how many bytes it has written when all are: that is how their end is known. */
export class JobOutput {
  readonly #source: PipeSource;
  readonly #pieces: Pieces;
  #state: { readonly kind: 'running' | 'done' } | { readonly kind: 'failed'; readonly error: unknown } = {
    kind: 'running',
  };
  #sizeBytes = Infinity;
  #takenBytes = 0;
  #room = Buffer.alloc(0);

  constructor(source: PipeSource, pieces: Pieces) {
    this.#source = source;
    this.#pieces = pieces;
  }

  /** All is written. */
  end(sizeBytes: number): void {
    if (this.#state.kind === 'running') this.#state = { kind: 'done' };
    this.#sizeBytes = sizeBytes;
    this.#source.wake();
  }

  /** Also behind the end: what waits is told, and whoever asks next. */
  fail(error: unknown): void {
    if (this.#state.kind !== 'failed') this.#state = { kind: 'failed', error };
    this.#source.wake();
  }

  /** Some bytes; null behind the last one. Throws what the job failed with. */
  async next(): Promise<Buffer | null> {
    for (;;) {
      if (this.#state.kind === 'failed') throw this.#state.error;
      if (this.#takenBytes === this.#sizeBytes) return null;
      if (this.#room.length < leastRoomBytes) this.#room = Buffer.allocUnsafeSlow(roomBytes);
      const bytes = this.#source.take(this.#room);
      if (bytes !== null) {
        if (this.#pieces === 'lasting') this.#room = this.#room.subarray(bytes.length);
        this.#takenBytes += bytes.length;
        return bytes;
      }
      await this.#source.wait();
    }
  }
}
