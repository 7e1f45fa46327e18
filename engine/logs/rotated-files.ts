/** The older files of a log: moved up by one at each rotation, and compressed where that is wanted. */
import { createReadStream, createWriteStream, existsSync, renameSync, rmSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { LogFilePlan } from './log-plan.ts';

export class RotatedFiles {
  readonly #plan: LogFilePlan;
  #state: 'idle' | 'compressing' = 'idle';

  constructor(plan: LogFilePlan) {
    this.#plan = plan;
    // A writer that was killed while it compressed.
    rmSync(`${plan.path}.1.gz.new`, { force: true });
    if (existsSync(`${plan.path}.1`)) rmSync(`${plan.path}.1.gz`, { force: true });
  }

  /** True while the newest of them must keep its name: then there can be no rotation. */
  get isCompressing(): boolean {
    return this.#state === 'compressing';
  }

  /** Takes the newest file's name away; the oldest one goes when there would be too many. */
  rotate(): void {
    const { path, maxFiles, compresses = false } = this.#plan;
    if (maxFiles === 1) {
      rmSync(path, { force: true });
      return;
    }
    for (let index = maxFiles - 1; index >= 1; index -= 1) {
      for (const suffix of ['', '.gz']) {
        rmSync(`${path}.${index}${suffix}`, { force: true });
        if (index > 1) renameIfThere(`${path}.${index - 1}${suffix}`, `${path}.${index}${suffix}`);
      }
    }
    renameIfThere(path, `${path}.1`);
    if (compresses) void this.#compress(`${path}.1`);
  }

  /** The compressed file appears whole, and only then the other one goes. A failure leaves it as it is: it can be read all the same. */
  async #compress(path: string): Promise<void> {
    this.#state = 'compressing';
    try {
      await pipeline(createReadStream(path), createGzip(), createWriteStream(`${path}.gz.new`, { mode: 0o640 }));
      renameSync(`${path}.gz.new`, `${path}.gz`);
      rmSync(path, { force: true });
    } catch {
      rmSync(`${path}.gz.new`, { force: true });
    } finally {
      this.#state = 'idle';
    }
  }
}

/** Fewer files than there may be, or someone has cleared them away. */
function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
