import { constants, type BigIntStats, fchmodSync, fchownSync } from 'node:fs';
import {
  attributeAt,
  attributeKeysAt,
  changeModeAt,
  changeOwnerAt,
  isCode,
  setAttributeAt,
  setAttributeOf,
  setTimesAt,
  setTimesOf,
} from '../../kernel/files.ts';
import { type TarEntry, TarError } from '../../../api/tar/entry.ts';

/** Overlayfs keeps its own books in these; an image has no say in them. */
export function isOverlayAttribute(key: string): boolean {
  return key.startsWith('trusted.overlay.') || key.startsWith('user.overlay.');
}

/** -1 means "do not change" to the kernel: as an owner it would be whoever unpacks. */
const largestId = 0xfffffffe;

export type Metadata = Pick<TarEntry, 'userId' | 'groupId' | 'mode' | 'xattrs' | 'modifiedNs'>;

/** Owner, mode, attributes, time; in this order, since each of the first takes something of the later ones away. */
export function setMetadata(at: { directory: number; name: string }, metadata: Metadata & { isLink: boolean }): void {
  const { directory, name } = at;
  const { userId, groupId, mode, xattrs, modifiedNs, isLink } = metadata;
  assertOwner(metadata);
  changeOwnerAt(directory, name, { userId, groupId });
  if (!isLink) changeModeAt(directory, name, mode);
  for (const [key, value] of xattrs) {
    if (!isOverlayAttribute(key)) bearably(key, () => setAttributeAt(directory, name, { key, value }));
  }
  setTimesAt(directory, name, modifiedNs);
}

/**
 * The same of an open file or directory that this process has just made with `madeMode`: what it has already is not set
 * again, since each of these is a journal entry to the file system.
 */
export function setMetadataOf(fd: number, metadata: Metadata, madeMode: number): void {
  const { userId, groupId, mode, xattrs, modifiedNs } = metadata;
  const isRoots = userId === 0 && groupId === 0 && isRoot;
  if (!isRoots) {
    assertOwner(metadata);
    fchownSync(fd, userId, groupId);
  }
  // A new owner takes setuid and setgid away.
  if (mode !== madeMode || (!isRoots && (mode & 0o6000) !== 0)) fchmodSync(fd, mode);
  for (const [key, value] of xattrs) {
    if (!isOverlayAttribute(key)) bearably(key, () => setAttributeOf(fd, { key, value }));
  }
  setTimesOf(fd, modifiedNs);
}

/** The same of a link by name that this process has just made. */
export function setLinkMetadata(at: { directory: number; name: string }, metadata: Metadata): void {
  const { userId, groupId, xattrs, modifiedNs } = metadata;
  if (userId !== 0 || groupId !== 0 || !isRoot || xattrs.size > 0) setMetadata(at, { ...metadata, isLink: true });
  else setTimesAt(at.directory, at.name, modifiedNs);
}

const isRoot = process.getuid?.() === 0;

function assertOwner({ userId, groupId }: Pick<Metadata, 'userId' | 'groupId'>): void {
  for (const id of [userId, groupId]) {
    if (id < 0 || id > largestId) throw new TarError(`an owner that there cannot be: ${id}`);
  }
}

/**
 * A file system without attributes (or a link, which has none of the `user.` kind) goes without, as with docker; but a
 * program whose capability was lost would fail in ways that nobody could explain.
 */
function bearably(key: string, set: () => void): void {
  try {
    set();
  } catch (error) {
    const isBearable = isCode(error, 'ENOTSUP', 'EOPNOTSUPP') || (isCode(error, 'EPERM') && key.startsWith('user.'));
    if (!isBearable || key === 'security.capability') throw error;
  }
}

/** The same of a file that is there. */
export function metadataOf(directory: number, name: string, stats: BigIntStats): Metadata & { isLink: boolean } {
  const xattrs = new Map<string, Buffer>();
  for (const key of attributeKeysAt(directory, name)) {
    const value = isOverlayAttribute(key) ? null : attributeAt(directory, name, key);
    if (value !== null) xattrs.set(key, value);
  }
  return {
    userId: Number(stats.uid),
    groupId: Number(stats.gid),
    mode: Number(stats.mode & 0o7777n),
    xattrs,
    modifiedNs: stats.mtimeNs,
    isLink: (Number(stats.mode) & constants.S_IFMT) === constants.S_IFLNK,
  };
}
