/** What a path names in a stack of layers, as overlayfs would show it: topmost first, whiteouts and opaque directories obeyed. */
import { type BigIntStats, closeSync, constants, copyFileSync, openSync } from 'node:fs';
import { attributeAt, isCode, makeNodeAt, openAt, readLinkAt, statAt, symlinkAt } from '../../kernel/files.ts';
import { isWhiteout, opaqueAttribute, type Place } from './layer-folder.ts';
import { metadataOf, setMetadata } from './metadata.ts';
import type { EntryPath } from './names.ts';

const readDirectory = constants.O_DIRECTORY | constants.O_RDONLY;

/** A thing of a lower layer. `directory` is closed when this is disposed. */
export interface LowerEntry extends Place, Disposable {
  readonly stats: BigIntStats;
}

/** Null when no layer has it. Links are not followed, on the way neither: what overlayfs merges are directories. */
export function findInLayers(folders: readonly string[], path: EntryPath): LowerEntry | null {
  let stack = folders.map((folder) => openSync(folder, readDirectory));
  const closeStack = (): void => stack.forEach((fd) => closeSync(fd));
  try {
    const [last, ...parents] = [path.at(-1) ?? '.', ...path.slice(0, -1)];
    for (const name of parents) {
      const next = mergedDirectories(stack, name);
      closeStack();
      stack = next;
    }
    for (const directory of stack) {
      const stats = statAt(directory, last);
      if (stats === null) continue;
      if (isWhiteout(stats)) return null;
      const own = openAt(directory, '.', readDirectory);
      return { directory: own, name: last, stats, [Symbol.dispose]: () => closeSync(own) };
    }
    return null;
  } finally {
    closeStack();
  }
}

/** The directories called `name` that overlayfs would merge, opened, topmost first. */
function mergedDirectories(stack: readonly number[], name: string): number[] {
  const merged: number[] = [];
  for (const directory of stack) {
    try {
      merged.push(openAt(directory, name, readDirectory));
    } catch (error) {
      if (isCode(error, 'ENOENT')) continue;
      // A file, a link or a whiteout: it hides what is below it.
      if (isCode(error, 'ENOTDIR', 'ELOOP')) break;
      merged.forEach((fd) => closeSync(fd));
      throw error;
    }
    if (attributeAt(directory, name, opaqueAttribute.key)?.equals(opaqueAttribute.value) === true) break;
  }
  return merged;
}

/** Makes `to` what `from` is: a file, link or node with all that it carries. The place must be empty. */
export function copyUp(from: LowerEntry, to: Place): void {
  const { stats } = from;
  if (stats.isFile()) copyContent(from, to);
  else if (stats.isSymbolicLink()) symlinkAt(readLinkAt(from.directory, from.name), to.directory, to.name);
  else makeNodeAt(to.directory, to.name, { mode: Number(stats.mode), ...deviceOf(stats.rdev) });
  setMetadata(to, metadataOf(from.directory, from.name, stats));
}

function copyContent(from: Place, to: Place): void {
  const source = openAt(from.directory, from.name, constants.O_RDONLY);
  try {
    const target = openAt(to.directory, to.name, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
    try {
      // Between two descriptors: the kernel copies, or shares the blocks where the file system can.
      copyFileSync(`/proc/self/fd/${source}`, `/proc/self/fd/${target}`, constants.COPYFILE_FICLONE);
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}

export function deviceOf(device: bigint): { major: number; minor: number } {
  return {
    major: Number(((device >> 32n) & ~0xfffn) | ((device >> 8n) & 0xfffn)),
    minor: Number(((device >> 12n) & ~0xffn) | (device & 0xffn)),
  };
}
