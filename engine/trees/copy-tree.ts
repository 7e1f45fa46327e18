/**
 * A tree copied as it is, with what an overlay keeps in it: whiteouts, opaque directories, and where a directory was moved
 * from. So a copy of a container's upper folder does as an upper again.
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  copyFileSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import {
  attributeAt,
  attributeKeysAt,
  dataPartsOf,
  linkAt,
  makeDirectoryAt,
  makeNodeAt,
  namesIn,
  openAt,
  readLinkAt,
  setAttributeAt,
  statAt,
  symlinkAt,
  syncFileSystem,
} from '../kernel/files.ts';
import { removeTreeSync } from '../kernel/remove-tree.ts';
import { deviceOf } from '../layers/apply/lower-layers.ts';
import { isOverlayAttribute, metadataOf, setMetadata } from '../layers/apply/metadata.ts';

interface Place {
  readonly directory: number;
  readonly name: string;
}

/** First names of files that have several, by device and inode. The directories are open for as long as the copy goes on. */
type Copied = Map<string, string>;

const readDirectory = constants.O_DIRECTORY | constants.O_RDONLY;

/** `from`, `to`: absolute, trusted; `to` must not be there. Returns the bytes of the files. */
export function copyTree(from: string, to: string): number {
  mkdirSync(path.dirname(to), { recursive: true, mode: 0o710 });
  const parent = openSync(path.dirname(to), readDirectory);
  const name = path.basename(to);
  try {
    const source = openSync(from, readDirectory);
    try {
      makeDirectoryAt(parent, name, 0o700);
      return copyInto(source, { parent, name });
    } finally {
      closeSync(source);
    }
  } finally {
    closeSync(parent);
  }
}

function copyInto(source: number, { parent, name }: { readonly parent: number; readonly name: string }): number {
  try {
    const root = openAt(parent, name, readDirectory);
    try {
      const bytes = copyInside(source, root, { path: [], root, copied: new Map() });
      setLook({ directory: source, name: '.' }, { directory: root, name: '.' }, statOf(source, '.'));
      syncFileSystem(root);
      return bytes;
    } finally {
      closeSync(root);
    }
  } catch (error) {
    removeTreeSync(parent, name);
    throw error;
  }
}

interface Copy {
  readonly path: readonly string[];
  /** Of the new tree. */
  readonly root: number;
  readonly copied: Copied;
}

function copyInside(from: number, to: number, copy: Copy): number {
  let bytes = 0;
  for (const name of namesIn(from)) {
    const stats = statAt(from, name);
    if (stats === null || stats.isSocket()) continue;
    bytes += copyOne({ directory: from, name }, { directory: to, name }, stats, {
      ...copy,
      path: [...copy.path, name],
    });
  }
  return bytes;
}

function copyOne(from: Place, to: Place, stats: BigIntStats, copy: Copy): number {
  if (stats.isDirectory()) return copyDirectory(from, to, stats, copy);
  const key = `${stats.dev}:${stats.ino}`;
  if (stats.nlink > 1n && linkToFirst(copy.copied.get(key), to, copy)) return 0;
  if (stats.nlink > 1n) copy.copied.set(key, copy.path.join('/'));
  if (stats.isFile()) copyContent(from, to, stats);
  else if (stats.isSymbolicLink()) symlinkAt(readLinkAt(from.directory, from.name), to.directory, to.name);
  else makeNodeAt(to.directory, to.name, { mode: Number(stats.mode), ...deviceOf(stats.rdev) });
  setLook(from, to, stats);
  return stats.isFile() ? Number(stats.size) : 0;
}

function copyDirectory(from: Place, to: Place, stats: BigIntStats, copy: Copy): number {
  makeDirectoryAt(to.directory, to.name, 0o700);
  const source = openAt(from.directory, from.name, readDirectory);
  try {
    const target = openAt(to.directory, to.name, readDirectory);
    try {
      const bytes = copyInside(source, target, copy);
      setLook(from, to, stats);
      return bytes;
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}

/** The first name is reached from the new root, directory by directory: nothing in a tree of our own making is a link on the way. */
function linkToFirst(first: string | undefined, to: Place, { root }: Copy): boolean {
  if (first === undefined) return false;
  const parts = first.split('/');
  const opened: number[] = [];
  try {
    let directory = root;
    for (const part of parts.slice(0, -1)) {
      directory = openAt(directory, part, readDirectory);
      opened.push(directory);
    }
    linkAt({ directory, name: parts.at(-1) ?? '' }, to);
    return true;
  } finally {
    opened.forEach((fd) => closeSync(fd));
  }
}

function copyContent(from: Place, to: Place, stats: BigIntStats): void {
  const source = openAt(from.directory, from.name, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const target = openAt(to.directory, to.name, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
    try {
      const hasHoles = stats.blocks * 512n < stats.size;
      // Between two descriptors: the kernel copies, or shares the blocks where the file system can.
      if (!hasHoles) copyFileSync(`/proc/self/fd/${source}`, `/proc/self/fd/${target}`, constants.COPYFILE_FICLONE);
      else copyParts(source, target, Number(stats.size));
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}

/** A copy by the kernel would fill the holes. */
function copyParts(source: number, target: number, sizeBytes: number): void {
  const piece = Buffer.allocUnsafe(256 * 1024);
  ftruncateSync(target, sizeBytes);
  for (const { offset, length } of dataPartsOf(source, sizeBytes)) {
    for (let at = offset; at < offset + length;) {
      const count = readSync(source, piece, 0, Math.min(piece.length, offset + length - at), at);
      if (count === 0) return; // it became shorter meanwhile
      for (let done = 0; done < count;) done += writeSync(target, piece, done, count - done, at + done);
      at += count;
    }
  }
}

function setLook(from: Place, to: Place, stats: BigIntStats): void {
  setMetadata(to, metadataOf(from.directory, from.name, stats));
  for (const key of attributeKeysAt(from.directory, from.name)) {
    const value = isOverlayAttribute(key) ? attributeAt(from.directory, from.name, key) : null;
    if (value !== null) setAttributeAt(to.directory, to.name, { key, value });
  }
}

function statOf(directory: number, name: string): BigIntStats {
  const stats = statAt(directory, name);
  if (stats === null) throw new Error('a folder went while it was copied');
  return stats;
}
