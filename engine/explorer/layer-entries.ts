/**
 * What a layer brings, entry by entry. Read from its recipe, which was written while it was unpacked: one file, in the order
 * of the tar, so that sixty thousand inodes need not be looked at. Layers of older engines have none: their folders are walked.
 */
import { type BigIntStats, closeSync, constants, openSync } from 'node:fs';
import type { TarEntryKind } from '../../api/tar/entry.ts';
import { attributeAt, isCode, namesIn, openAt, readLinkAt, statAt } from '../kernel/files.ts';
import { isWhiteout, opaqueAttribute } from '../layers/apply/layer-folder.ts';
import { deviceOf } from '../layers/apply/lower-layers.ts';
import { entryPath } from '../layers/apply/names.ts';
import { recipeEntries } from '../layers/recipe/recipe-entries.ts';

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

/** `file`: absolute. */
export function* entriesOfRecipe(file: string): Generator<LayerEntry, void, void> {
  for (const { path, whiteout, entry: found } of recipeEntries(file)) {
    if (whiteout?.kind === 'bookkeeping') continue;
    if (whiteout?.kind === 'opaque') yield mark(path.slice(0, -1), 'opaque');
    else if (whiteout?.kind === 'whiteout') yield mark([...path.slice(0, -1), whiteout.name], 'whiteout');
    else {
      const { kind, mode, userId, groupId, modifiedNs, linkName, device } = found;
      const isDevice = kind === 'character-device' || kind === 'block-device';
      const link =
        kind === 'symlink' ? linkName.toString('latin1') : kind === 'hardlink' ? entryPath(linkName).join('/') : '';
      yield {
        path,
        kind,
        // A link has no mode of its own: Linux shows 0777.
        mode: kind === 'symlink' ? 0o777 : mode,
        userId,
        groupId,
        sizeBytes: kind === 'file' ? found.sizeBytes : 0,
        modifiedNs,
        link,
        device: isDevice ? `${device.major}:${device.minor}` : '',
      };
    }
  }
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
    const link = kind === 'symlink' ? unlessGone(() => readLinkAt(directory, name)) : '';
    if (link === null) continue;
    yield { ...entry(child, kind, stats), link };
    if (kind !== 'directory') continue;
    const opened = unlessGone(() => openAt(directory, name, constants.O_DIRECTORY | constants.O_RDONLY));
    if (opened === null) continue;
    try {
      yield* inside(opened, child, seen);
    } finally {
      closeSync(opened);
    }
  }
}

/** A layer never changes; what a running container writes may be gone between two calls. */
function unlessGone<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ENOTDIR', 'EINVAL', 'ELOOP')) return null;
    throw error;
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
