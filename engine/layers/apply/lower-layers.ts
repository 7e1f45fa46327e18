/** What a path names in a stack of layers, as overlayfs would show it: topmost first, whiteouts and opaque directories obeyed. */
import { type BigIntStats, closeSync, constants, copyFileSync, openSync } from 'node:fs';
import {
  attributeAt,
  isCode,
  makeNodeAt,
  openAt,
  openIfThere,
  readLinkAt,
  statAt,
  symlinkAt,
} from '../../kernel/files.ts';
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
  for (const folder of folders) {
    const found = lookIn(folder, path);
    if (found !== 'nothing') return found === 'hidden' ? null : found;
  }
  return null;
}

/** `nothing`: layers below may have it. `hidden`: whatever they have there is not to be seen. */
function lookIn(folder: string, path: EntryPath): LowerEntry | 'nothing' | 'hidden' {
  const [name, ...parents] = [path.at(-1) ?? '.', ...path.slice(0, -1)];
  let directory = openSync(folder, readDirectory);
  let isKept = false;
  let below: 'nothing' | 'hidden' = 'nothing';
  try {
    for (const parent of parents) {
      const next = openDirectory(directory, parent);
      if (typeof next === 'string') return next === 'hidden' ? next : below;
      closeSync(directory);
      directory = next;
      if (attributeAt(directory, '.', opaqueAttribute.key)?.equals(opaqueAttribute.value) === true) below = 'hidden';
    }
    const stats = statAt(directory, name);
    if (stats === null) return below;
    if (isWhiteout(stats)) return 'hidden';
    isKept = true;
    const kept = directory;
    return { directory, name, stats, [Symbol.dispose]: () => closeSync(kept) };
  } finally {
    if (!isKept) closeSync(directory);
  }
}

/** A file, a link or a whiteout hides what is below it. */
function openDirectory(directory: number, name: string): number | 'nothing' | 'hidden' {
  try {
    return openIfThere(directory, name, readDirectory) ?? 'nothing';
  } catch (error) {
    if (isCode(error, 'ENOTDIR', 'ELOOP')) return 'hidden';
    throw error;
  }
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
