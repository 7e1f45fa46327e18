/** What a file is, and what it should be, by an open descriptor: nobody can put another in its place between two calls. */
import {
  type BigIntStats,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  openSync,
} from 'node:fs';
import { attributeAt, isCode, oPath, openAt, setAttributeOf } from '../kernel/files.ts';
import { isOverlayAttribute, type Metadata } from '../layers/apply/metadata.ts';

/** A thing in a directory, held so that it stays itself. A device or fifo is not touched by that. */
export interface Held extends Disposable {
  readonly fd: number;
  readonly stats: BigIntStats;
}

/** Null when there is nothing of that name. */
export function holdAt(directory: number, name: string): Held | null {
  let fd: number;
  try {
    fd = openAt(directory, name, oPath);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return null;
    throw error;
  }
  return held(fd);
}

export function held(fd: number): Held {
  return { fd, stats: fstatSync(fd, { bigint: true }), [Symbol.dispose]: () => closeSync(fd) };
}

/** Opens the very thing that is held. Only for regular files and directories. */
export function reopen({ fd }: Held, flags: number): number {
  return openSync(`/proc/self/fd/${fd}`, flags);
}

export function kindOf(stats: BigIntStats): number {
  return Number(stats.mode) & constants.S_IFMT;
}

/** Owner, mode, attributes, time of an open file or directory; in this order, since each takes something of the later ones away. */
export function setMetadataOf(fd: number, metadata: Metadata): void {
  fchownSync(fd, metadata.userId, metadata.groupId);
  fchmodSync(fd, metadata.mode);
  for (const [key, value] of metadata.xattrs) {
    if (!isOverlayAttribute(key)) setAttribute(fd, key, value);
  }
  const seconds = Number(metadata.modifiedNs) / 1e9;
  futimesSync(fd, seconds, seconds);
}

function setAttribute(fd: number, key: string, value: Buffer): void {
  try {
    setAttributeOf(fd, { key, value });
  } catch (error) {
    if (!isCode(error, 'ENOTSUP', 'EOPNOTSUPP', 'EPERM')) throw error;
  }
}

/** The one attribute that archives of docker's carry; null when there is none. */
export function capabilityAt(directory: number, name: string): Buffer | null {
  return attributeAt(directory, name, 'security.capability');
}
