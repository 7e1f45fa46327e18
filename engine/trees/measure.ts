import { closeSync, constants, openSync } from 'node:fs';
import { isCode, namesIn, openAt, statAt } from '../kernel/files.ts';

/**
 * Bytes of the files below a trusted folder, each counted once however many names it has; directories count nothing
 * (docker's way). What vanishes meanwhile is not counted; 0 for a folder that is not there.
 */
export function measureTree(folder: string): number {
  const seen = new Set<string>();
  let total = 0n;
  const walk = (directory: number): void => {
    for (const name of namesIn(directory)) {
      const stats = statAt(directory, name);
      if (stats === null) continue;
      if (stats.isDirectory()) {
        inDirectory(() => openAt(directory, name, constants.O_DIRECTORY), walk);
        continue;
      }
      const key = `${stats.dev}:${stats.ino}`;
      if (stats.nlink === 1n || !seen.has(key)) total += stats.size;
      if (stats.nlink > 1n) seen.add(key);
    }
  };
  inDirectory(() => openSync(folder, constants.O_DIRECTORY), walk);
  return Number(total);
}

function inDirectory(open: () => number, use: (directory: number) => void): void {
  let directory: number;
  try {
    directory = open();
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return;
    throw error;
  }
  try {
    use(directory);
  } finally {
    closeSync(directory);
  }
}
