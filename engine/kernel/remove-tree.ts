import { closeSync, constants, type Dirent } from 'node:fs';
import { open, opendir, rename, rmdir, unlink } from 'node:fs/promises';
import { isCode, namesIn, openAt, removeDirectoryAt, statAt, unlinkAt } from './files.ts';

/** A container may nest directories deeper than descriptors would reach: past this depth they are moved up first. */
const deepest = 64;

const filesAtOnce = 32;

/** What is removed at once: less than a change of threads for each of its calls would cost. */
const small = { entries: 48, bytesOfFile: 1 << 20, bytesOfDirectory: 1 << 14, milliseconds: 3 };

/**
 * Deletes `name` in the open directory with all that is below, walking by descriptors: a link is removed, never followed.
 * Does nothing when it is not there. All but the first few calls run in Node's thread pool: under load an unlink takes milliseconds.
 */
export async function removeTree(directory: number, name: string): Promise<void> {
  const budget = { entries: small.entries, until: performance.now() + small.milliseconds };
  if (removeWithin(budget, directory, name) === 'removed') return;
  const waiting = [name];
  let moved = 0;
  const remove = async (parent: number, entry: Pick<Dirent, 'name' | 'isDirectory'>, depth: number): Promise<void> => {
    const path = pathIn(parent, entry.name);
    if (!entry.isDirectory()) {
      await unlessGone(unlink(path));
    } else if (depth === deepest) {
      moved += 1;
      const aside = `${name}.deep-${moved}`;
      await rename(path, pathIn(directory, aside));
      waiting.push(aside);
    } else {
      await removeInside(path, depth);
      await unlessGone(rmdir(path));
    }
  };
  const removeInside = async (path: Buffer, depth: number): Promise<void> => {
    await using inside = await open(path, constants.O_DIRECTORY | constants.O_NOFOLLOW);
    // Removing while reading may hide entries from the reader on some file systems: read again until nothing is left.
    for (let isEmpty = false; !isEmpty;) {
      isEmpty = true;
      // Files side by side: what one costs is mostly the way to the pool of threads and back.
      let files: Promise<void>[] = [];
      try {
        for await (const entry of await opendir(`/proc/self/fd/${inside.fd}`, {
          encoding: 'latin1',
          bufferSize: 256,
        })) {
          isEmpty = false;
          const removal = remove(inside.fd, entry, depth + 1);
          if (entry.isDirectory()) await removal;
          else if (files.push(removal) === filesAtOnce) {
            await Promise.all(files);
            files = [];
          }
        }
      } finally {
        await Promise.allSettled(files);
      }
      await Promise.all(files);
    }
  };
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const stats = statAt(directory, next);
    if (stats !== null) await remove(directory, { name: next, isDirectory: () => stats.isDirectory() }, 0);
  }
}

/** The tree of a container that wrote little takes some twenty calls. */
function removeWithin(
  budget: { entries: number; readonly until: number },
  directory: number,
  name: string,
): 'removed' | 'too-much' {
  const stats = statAt(directory, name);
  if (stats === null) return 'removed';
  budget.entries -= 1;
  if (budget.entries < 0 || performance.now() > budget.until) return 'too-much';
  if (!stats.isDirectory()) {
    if (stats.blocks * 512n > small.bytesOfFile) return 'too-much';
    unlinkAt(directory, name);
    return 'removed';
  }
  if (stats.size > small.bytesOfDirectory) return 'too-much';
  const inside = openAt(directory, name, constants.O_DIRECTORY);
  try {
    for (const child of namesIn(inside)) if (removeWithin(budget, inside, child) === 'too-much') return 'too-much';
  } finally {
    closeSync(inside);
  }
  removeDirectoryAt(directory, name);
  return 'removed';
}

/** The same at once, for workers and for trees that are no deeper than a path can be. */
export function removeTreeSync(directory: number, name: string): void {
  const stats = statAt(directory, name);
  if (stats === null) return;
  if (!stats.isDirectory()) {
    unlinkAt(directory, name);
    return;
  }
  const inside = openAt(directory, name, constants.O_DIRECTORY);
  try {
    for (const child of namesIn(inside)) removeTreeSync(inside, child);
  } finally {
    closeSync(inside);
  }
  removeDirectoryAt(directory, name);
}

/** `/proc/self/fd/N` is the open directory itself; the one name behind it is not followed by any of the calls above. */
function pathIn(directory: number, name: string): Buffer {
  return Buffer.from(`/proc/self/fd/${directory}/${name}`, 'latin1');
}

async function unlessGone(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error;
  }
}
