/**
 * What a range of layers shows, as one layer's tar: overlayfs's rules applied once and for all. A directory is walked as the
 * pile of folders that overlayfs would merge for it, each held by a descriptor; nothing is reached by a path.
 */
import { type BigIntStats, closeSync, constants, openSync, readSync } from 'node:fs';
import { type TarEntry, type TarEntryKind } from '../../api/tar/entry.ts';
import type { SparseSegment } from '../../api/tar/sparse.ts';
import { encodeEntry, encodeHeader, encodeSparseHeader, endOfArchive, padding } from '../../api/tar/writer.ts';
import { attributeAt, dataPartsOf, namesIn, openAt, readLinkAt, statAt } from '../kernel/files.ts';
import { isWhiteout, opaqueAttribute } from '../layers/apply/layer-folder.ts';
import { deviceOf, findInLayers } from '../layers/apply/lower-layers.ts';
import { metadataOf } from '../layers/apply/metadata.ts';

const pieceBytes = 256 * 1024;
const readDirectory = constants.O_DIRECTORY | constants.O_RDONLY;

/** Parts are byte strings. */
type Path = readonly string[];

/** The folders that are merged into one directory, open, topmost first. */
type Pile = readonly number[];

interface Merge {
  /** Folders of the layers below the range, topmost first. */
  readonly lowers: readonly string[];
  /** First names of files that have several, by device and inode. */
  readonly seen: Map<string, string>;
}

/** `range`, `lowers`: absolute folders, topmost first. Synchronous, in pieces of 256 KiB. */
export function* mergedTar(range: readonly string[], lowers: readonly string[]): Generator<Buffer, void, void> {
  const merge: Merge = { lowers, seen: new Map() };
  const pile = range.map((folder) => openSync(folder, readDirectory));
  try {
    const [top] = pile;
    const stats = top === undefined ? null : statAt(top, '.');
    if (top !== undefined && stats !== null)
      yield encodeHeader(entryOf({ directory: top, name: '.', stats }, './', 'directory'));
    // An opaque root ends the pile, as any opaque directory does.
    yield* inside(untilOpaque(pile), [], merge);
    yield endOfArchive;
  } finally {
    pile.forEach((fd) => closeSync(fd));
  }
}

function* inside(
  { pile, isOpaque }: { readonly pile: Pile; readonly isOpaque: boolean },
  path: Path,
  merge: Merge,
): Generator<Buffer, void, void> {
  if (isOpaque && isDirectoryBelow(merge, path)) yield mark([...path, '.wh..wh..opq']);
  const names = [...new Set(pile.flatMap((directory) => namesIn(directory)))].sort();
  for (const name of names) yield* one(pile, [...path, name], { ...merge, lowers: isOpaque ? [] : merge.lowers });
}

function* one(pile: Pile, path: Path, merge: Merge): Generator<Buffer, void, void> {
  const name = path.at(-1) ?? '.';
  for (const [index, directory] of pile.entries()) {
    const stats = statAt(directory, name);
    if (stats === null) continue;
    if (isWhiteout(stats)) {
      if (isBelow(merge, path)) yield mark([...path.slice(0, -1), `.wh.${name}`]);
      return;
    }
    const at = { directory, name, stats };
    if (!stats.isDirectory()) return yield* entry(at, path, merge);
    yield encodeHeader(entryOf(at, `${path.join('/')}/`, 'directory'));
    const merged = mergedDirectories(pile.slice(index), name);
    try {
      return yield* inside(merged, path, merge);
    } finally {
      merged.pile.forEach((fd) => closeSync(fd));
    }
  }
}

/** The directories called `name` that overlayfs would merge. Opaque: something in the range hides what the layers below have. */
function mergedDirectories(pile: Pile, name: string): { readonly pile: Pile; readonly isOpaque: boolean } {
  const merged: number[] = [];
  for (const directory of pile) {
    const stats = statAt(directory, name);
    if (stats === null) continue;
    if (!stats.isDirectory()) return { pile: merged, isOpaque: true };
    const opened = openAt(directory, name, readDirectory);
    merged.push(opened);
    if (isOpaqueDirectory(opened)) return { pile: merged, isOpaque: true };
  }
  return { pile: merged, isOpaque: false };
}

function untilOpaque(pile: Pile): { readonly pile: Pile; readonly isOpaque: boolean } {
  const last = pile.findIndex(isOpaqueDirectory);
  return last === -1 ? { pile, isOpaque: false } : { pile: pile.slice(0, last + 1), isOpaque: true };
}

function isOpaqueDirectory(directory: number): boolean {
  return attributeAt(directory, '.', opaqueAttribute.key)?.equals(opaqueAttribute.value) === true;
}

interface Found {
  readonly directory: number;
  readonly name: string;
  readonly stats: BigIntStats;
}

function* entry(at: Found, path: Path, merge: Merge): Generator<Buffer, void, void> {
  const { stats, directory, name } = at;
  const kind = kindOf(stats);
  if (kind === null) return;
  const full = path.join('/');
  if (stats.nlink > 1n) {
    const key = `${stats.dev}:${stats.ino}`;
    const first = merge.seen.get(key);
    if (first !== undefined) {
      yield encodeHeader({ ...entryOf(at, full, 'hardlink'), linkName: bytes(first), xattrs: new Map() });
      return;
    }
    merge.seen.set(key, full);
  }
  if (kind === 'symlink') {
    yield encodeHeader({ ...entryOf(at, full, 'symlink'), linkName: bytes(readLinkAt(directory, name)) });
    return;
  }
  if (kind === 'file') yield* file(at, entryOf(at, full, 'file'));
  else yield encodeHeader(entryOf(at, full, kind));
}

function* file(at: Found, header: TarEntry): Generator<Buffer, void, void> {
  const fd = openAt(at.directory, at.name, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const { sizeBytes } = header;
    const segments = isThin(at.stats) ? wideParts(dataPartsOf(fd, sizeBytes), sizeBytes) : null;
    const isSparse = segments !== null && segments.reduce((sum, { length }) => sum + length, 0) < sizeBytes;
    yield isSparse ? encodeSparseHeader(header, segments) : encodeHeader(header);
    let written = 0;
    for (const { offset, length } of isSparse ? segments : [{ offset: 0, length: sizeBytes }]) {
      yield* content(fd, offset, length);
      written += length;
    }
    yield padding(written);
  } finally {
    closeSync(fd);
  }
}

function* content(fd: number, offset: number, length: number): Generator<Buffer, void, void> {
  for (let at = 0; at < length;) {
    const piece = Buffer.allocUnsafe(Math.min(pieceBytes, length - at));
    const count = readSync(fd, piece, 0, piece.length, offset + at);
    if (count === 0) throw new Error('a file of a layer became shorter while it was read');
    at += count;
    yield piece.subarray(0, count);
  }
}

/** A hole must be worth its place in the map, and be one on every file system, whatever its blocks. */
const holeBytes = 64 * 1024;

function isThin(stats: BigIntStats): boolean {
  return stats.size >= 2n * BigInt(holeBytes) && stats.blocks * 512n + BigInt(holeBytes) <= stats.size;
}

/** Both ends of each part on multiples of 64 KiB, parts that touch as one. */
function wideParts(parts: readonly SparseSegment[], sizeBytes: number): readonly SparseSegment[] {
  const wide: { offset: number; length: number }[] = [];
  for (const part of parts) {
    const offset = Math.floor(part.offset / holeBytes) * holeBytes;
    const end = Math.min(sizeBytes, Math.ceil((part.offset + part.length) / holeBytes) * holeBytes);
    const last = wide.at(-1);
    if (last !== undefined && offset <= last.offset + last.length) last.length = end - last.offset;
    else wide.push({ offset, length: end - offset });
  }
  return wide;
}

function entryOf({ directory, name, stats }: Found, path: string, kind: TarEntryKind): TarEntry {
  const { mode, userId, groupId, xattrs, modifiedNs } = metadataOf(directory, name, stats);
  const isDevice = kind === 'character-device' || kind === 'block-device';
  return {
    kind,
    name: bytes(path),
    linkName: Buffer.alloc(0),
    mode,
    userId,
    groupId,
    sizeBytes: kind === 'file' ? Number(stats.size) : 0,
    modifiedNs,
    device: isDevice ? deviceOf(stats.rdev) : { major: 0, minor: 0 },
    xattrs,
  };
}

function mark(path: Path): Buffer {
  return encodeEntry({ kind: 'file', name: bytes(path.join('/')) });
}

function isBelow({ lowers }: Merge, path: Path): boolean {
  using found = findInLayers(lowers, path);
  return found !== null;
}

function isDirectoryBelow({ lowers }: Merge, path: Path): boolean {
  using found = findInLayers(lowers, path);
  return found?.stats.isDirectory() === true;
}

function bytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** Null for a socket, which no layer holds. */
function kindOf(stats: BigIntStats): TarEntryKind | null {
  if (stats.isFile()) return 'file';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isFIFO()) return 'fifo';
  if (stats.isCharacterDevice()) return 'character-device';
  return stats.isBlockDevice() ? 'block-device' : null;
}
