/** Where the unpack program reads a layer from: a slice of a file, or a file that grows while it is read. */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { isCode } from '../kernel/files.ts';
import type { SourceFile } from './unpack-protocol.ts';

const readBytes = 256 * 1024;

/** How much of a growing file is there, as the engine tells from time to time. */
export class Arrival {
  #availableBytes: number;
  #isComplete: boolean;
  #onChange: () => void = () => undefined;

  constructor(start: { readonly availableBytes: number; readonly isComplete: boolean }) {
    this.#availableBytes = start.availableBytes;
    this.#isComplete = start.isComplete;
  }

  change(to: { readonly availableBytes: number; readonly isComplete: boolean }): void {
    this.#availableBytes = to.availableBytes;
    this.#isComplete = to.isComplete;
    this.#onChange();
  }

  /** How many bytes are there, once there are more than `at`; null when nothing more comes. */
  async beyond(at: number): Promise<number | null> {
    for (;;) {
      if (this.#availableBytes > at) return this.#availableBytes;
      if (this.#isComplete) return null;
      await new Promise<void>((resolve) => (this.#onChange = resolve));
    }
  }
}

/** The bytes of a layer as they stand in the file; waits for those that are still to come. */
export async function* sourceChunks(source: SourceFile, arrival: Arrival): AsyncGenerator<Buffer, void, void> {
  const fd = openFirst(source.files);
  try {
    for (let at = 0; ;) {
      const end = await arrival.beyond(at);
      if (end === null) return;
      const buffer = Buffer.allocUnsafe(Math.min(readBytes, end - at));
      const count = readSync(fd, buffer, 0, buffer.length, source.offset + at);
      if (count === 0) throw new Error(`${source.files[0]} ends too early`);
      at += count;
      yield buffer.subarray(0, count);
    }
  } finally {
    closeSync(fd);
  }
}

function openFirst(files: SourceFile['files']): number {
  for (const file of files.slice(0, -1)) {
    try {
      return openSync(file, constants.O_RDONLY);
    } catch (error) {
      if (!isCode(error, 'ENOENT')) throw error;
    }
  }
  return openSync(files.at(-1) ?? '', constants.O_RDONLY);
}
