/**
 * What a layer brings, entry by entry, as its tar says it (whiteouts by their names). Read from the folder that it was
 * unpacked into: parents come before what is in them, and links in paths are resolved already.
 */
import { type BigIntStats, closeSync, constants, openSync } from 'node:fs';
import type { TarEntryKind } from '../../api/tar/entry.ts';
import { attributeAt, namesIn, openAt, readLinkAt, statAt } from '../kernel/files.ts';
import { isWhiteout, opaqueAttribute } from '../layers/apply/layer-folder.ts';
import { deviceOf } from '../layers/apply/lower-layers.ts';

/** Names are byte strings (one character a byte). */
export interface LayerEntry {
  readonly path: readonly string[];
  readonly kind: TarEntryKind | 'whiteout' | 'opaque';
  readonly mode: number;
  readonly userId: number;
  readonly groupId: number;
  readonly sizeBytes: number;
  readonly modifiedNs: bigint;
  /** Target of a symlink as it is; path of a hard link's first name. */
  readonly link: string;
  readonly device: string;
}

/** `folder`: absolute, of an unpacked layer. */
export function* entriesOfFolder(folder: string): Generator<LayerEntry, void, void> {
  const root = openSync(folder, constants.O_DIRECTORY | constants.O_RDONLY);
  try {
    const stats = statAt(root, '.');
    if (stats !== null) yield entry([], 'directory', stats);
    yield* inside(root, [], new Map());
  } finally {
    closeSync(root);
  }
}

/** `seen`: first names of files that have several, by inode. */
function* inside(
  directory: number,
  path: readonly string[],
  seen: Map<bigint, string>,
): Generator<LayerEntry, void, void> {
  if (attributeAt(directory, '.', opaqueAttribute.key)?.equals(opaqueAttribute.value) === true)
    yield mark(path, 'opaque');
  for (const name of [...namesIn(directory)].sort()) {
    const stats = statAt(directory, name);
    if (stats === null) continue;
    const child = [...path, name];
    if (isWhiteout(stats)) {
      yield mark(child, 'whiteout');
      continue;
    }
    const first = stats.nlink > 1n && !stats.isDirectory() ? seen.get(stats.ino) : undefined;
    if (first !== undefined) {
      yield { ...entry(child, 'hardlink', stats), link: first };
      continue;
    }
    if (stats.nlink > 1n && !stats.isDirectory()) seen.set(stats.ino, child.join('/'));
    const kind = kindOf(stats);
    if (kind === null) continue;
    yield { ...entry(child, kind, stats), link: kind === 'symlink' ? readLinkAt(directory, name) : '' };
    if (kind !== 'directory') continue;
    const opened = openAt(directory, name, constants.O_DIRECTORY | constants.O_RDONLY);
    try {
      yield* inside(opened, child, seen);
    } finally {
      closeSync(opened);
    }
  }
}

function entry(path: readonly string[], kind: TarEntryKind, stats: BigIntStats): LayerEntry {
  const isDevice = kind === 'character-device' || kind === 'block-device';
  const { major, minor } = deviceOf(stats.rdev);
  return {
    path,
    kind,
    mode: Number(stats.mode & 0o7777n),
    userId: Number(stats.uid),
    groupId: Number(stats.gid),
    sizeBytes: stats.isFile() ? Number(stats.size) : 0,
    modifiedNs: stats.mtimeNs,
    link: '',
    device: isDevice ? `${major}:${minor}` : '',
  };
}

function mark(path: readonly string[], kind: 'whiteout' | 'opaque'): LayerEntry {
  return { path, kind, mode: 0, userId: 0, groupId: 0, sizeBytes: 0, modifiedNs: 0n, link: '', device: '' };
}

/** Null for a socket, which no layer holds. */
function kindOf(stats: BigIntStats): TarEntryKind | null {
  if (stats.isDirectory()) return 'directory';
  if (stats.isFile()) return 'file';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isFIFO()) return 'fifo';
  if (stats.isCharacterDevice()) return 'character-device';
  return stats.isBlockDevice() ? 'block-device' : null;
}
