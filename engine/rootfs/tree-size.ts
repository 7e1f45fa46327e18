import { opendir } from 'node:fs/promises';
import { closeSync, constants, openSync } from 'node:fs';
import { isCode, openAt, statAt } from '../kernel/files.ts';

/**
 * Bytes of the files below a trusted folder, each file counted once however many names it has; directories count nothing
 * (docker's way). What vanishes meanwhile is not counted: the container may be running. Yields to the event loop.
 */
export async function treeSizeBytes(folder: string): Promise<number> {
  const seen = new Set<bigint>();
  let total = 0n;
  const walk = async (directory: number): Promise<void> => {
    for await (const { name } of await opendir(`/proc/self/fd/${directory}`, { encoding: 'latin1' })) {
      const stats = statAt(directory, name);
      if (stats === null) continue;
      if (!stats.isDirectory()) {
        if (stats.nlink === 1n || !seen.has(stats.ino)) total += stats.size;
        if (stats.nlink > 1n) seen.add(stats.ino);
        continue;
      }
      const child = openIfThere(directory, name);
      if (child === null) continue;
      try {
        await walk(child);
      } finally {
        closeSync(child);
      }
    }
  };
  const root = openSync(folder, constants.O_DIRECTORY);
  try {
    await walk(root);
  } finally {
    closeSync(root);
  }
  return Number(total);
}

function openIfThere(directory: number, name: string): number | null {
  try {
    return openAt(directory, name, constants.O_DIRECTORY);
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return null;
    throw error;
  }
}
