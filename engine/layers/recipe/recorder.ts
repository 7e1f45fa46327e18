import type { RecipeWriter } from './recipe-file.ts';

/**
 * Writes a recipe while the tar goes by: chunk by chunk, and told of each piece of content that now stands in the tree.
 * Whatever is not told is kept.
 */
export class Recorder {
  readonly #writer: RecipeWriter;
  #chunk: Buffer = Buffer.alloc(0);
  /** Offset in the tar of the chunk's first byte, and of the first byte that is not recorded. */
  #start = 0;
  #recorded = 0;

  constructor(writer: RecipeWriter) {
    this.#writer = writer;
  }

  begin(chunk: Buffer): void {
    this.#chunk = chunk;
  }

  /** `position`: in the tar; inside the chunk. */
  stored(position: number, sizeBytes: number): void {
    this.#keepUpTo(position);
    this.#writer.leaveOut(sizeBytes);
    this.#recorded = position + sizeBytes;
  }

  end(): void {
    this.#keepUpTo(this.#start + this.#chunk.length);
    this.#start += this.#chunk.length;
  }

  #keepUpTo(position: number): void {
    this.#writer.keep(this.#chunk.subarray(this.#recorded - this.#start, position - this.#start));
    this.#recorded = position;
  }
}
