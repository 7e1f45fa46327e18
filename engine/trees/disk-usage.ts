import { type BigIntStats, closeSync, constants, lstatSync, openSync } from 'node:fs';
import { isCode, namesIn, openAt, statAt } from '../kernel/files.ts';

/** Source: stat(2), st_blocks. */
const blockBytes = 512n;

/**
 * Bytes of the disk that a trusted path takes with all that is below it, as `du -x` counts: whole blocks, directories too, a file
 * of several names once, nothing of other file systems. What vanishes meanwhile is not counted; 0 for a path that is not there.
 */
export function diskUsageOf(path: string): number {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (stats === undefined) return 0;
  if (!stats.isDirectory()) return Number(stats.blocks * blockBytes);
  return withDirectory(
    () => openSync(path, constants.O_DIRECTORY | constants.O_NOFOLLOW),
    (directory) => Number(new Walk(stats.dev).below(directory) + stats.blocks * blockBytes),
  );
}

class Walk {
  readonly #device: bigint;
  readonly #seen = new Set<bigint>();

  constructor(device: bigint) {
    this.#device = device;
  }

  below(directory: number): bigint {
    let total = 0n;
    for (const name of namesIn(directory)) {
      const stats = statAt(directory, name);
      if (stats === null || stats.dev !== this.#device || this.#isSeen(stats)) continue;
      total += stats.blocks * blockBytes;
      if (!stats.isDirectory()) continue;
      const opened = (): number => openAt(directory, name, constants.O_DIRECTORY);
      total += BigInt(withDirectory(opened, (inside) => Number(this.below(inside))));
    }
    return total;
  }

  #isSeen(stats: BigIntStats): boolean {
    const { ino, nlink } = stats;
    if (nlink === 1n || stats.isDirectory()) return false;
    if (this.#seen.has(ino)) return true;
    this.#seen.add(ino);
    return false;
  }
}

function withDirectory(open: () => number, use: (directory: number) => number): number {
  let directory: number;
  try {
    directory = open();
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return 0;
    throw error;
  }
  try {
    return use(directory);
  } finally {
    closeSync(directory);
  }
}
