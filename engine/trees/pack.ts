/**
 * A tree as a tar, walked by descriptors: each thing is held before it is looked at, and what is held is what is read. A
 * file that shrinks while it is read is filled up with zeros, one that grows is cut: the archive stays whole.
 */
import { closeSync, constants, readSync } from 'node:fs';
import { isCode, namesIn, readLinkAt } from '../kernel/files.ts';
import { deviceOf } from '../layers/apply/lower-layers.ts';
import type { TarEntry, TarEntryKind } from '../../api/tar/entry.ts';
import { encodeHeader, padding } from '../../api/tar/writer.ts';
import { capabilityAt, type Held, holdAt, kindOf, reopen } from './open-file.ts';

const pieceBytes = 256 * 1024;
const noAttributes: ReadonlyMap<string, Buffer> = new Map();

/** Which xattrs go into the archive: those that docker's archives have, unless told otherwise. */
export interface PackOptions {
  readonly attributesOf?: (directory: number, name: string) => ReadonlyMap<string, Buffer>;
  /** Another kind of entry, or none, for something (whiteouts). */
  readonly instead?: (held: Held, name: string) => Buffer | null;
  /** A further entry in a directory, which is open; `prefix` is its name with a slash. */
  readonly behind?: (directory: number, prefix: string) => Buffer | null;
}

/** Names of files that have several, by device and inode. */
type Seen = Map<string, string>;

/** One thing with all that is below it. `name`: what it is called in the archive, without a slash at the end; empty: only what is in it. */
export function* packTree(
  at: { readonly directory: number; readonly name: string },
  name: string,
  options: PackOptions = {},
  seen: Seen = new Map(),
): Generator<Buffer, void, void> {
  const held = holdAt(at.directory, at.name);
  if (held === null) return; // it was there when its directory was read
  using _held = held;
  const instead = options.instead?.(held, name) ?? null;
  if (instead !== null) {
    yield instead;
    return;
  }
  switch (kindOf(held.stats)) {
    case constants.S_IFDIR:
      if (name !== '')
        yield header(held, at, { kind: 'directory', name: name.endsWith('/') ? name : `${name}/` }, options);
      yield* packInside(held, name, options, seen);
      return;
    case constants.S_IFREG:
      yield* packFile(held, at, { name, options, seen });
      return;
    case constants.S_IFLNK: {
      const linkName = linkText(at);
      if (linkName !== null) yield header(held, at, { kind: 'symlink', name, linkName }, options);
      return;
    }
    case constants.S_IFIFO:
      yield header(held, at, { kind: 'fifo', name }, options);
      return;
    case constants.S_IFCHR:
      yield header(held, at, { kind: 'character-device', name }, options);
      return;
    case constants.S_IFBLK:
      yield header(held, at, { kind: 'block-device', name }, options);
      return;
    default: // a socket: no archive can hold one, and nobody would be behind it
  }
}

function* packInside(held: Held, name: string, options: PackOptions, seen: Seen): Generator<Buffer, void, void> {
  const directory = reopen(held, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const prefix = name === '' || name.endsWith('/') ? name : `${name}/`;
    const further = options.behind?.(directory, prefix) ?? null;
    if (further !== null) yield further;
    for (const child of [...namesIn(directory)].sort())
      yield* packTree({ directory, name: child }, `${prefix}${child}`, options, seen);
  } finally {
    closeSync(directory);
  }
}

function* packFile(
  held: Held,
  at: { readonly directory: number; readonly name: string },
  how: { readonly name: string; readonly options: PackOptions; readonly seen: Seen },
): Generator<Buffer, void, void> {
  const { name, options, seen } = how;
  const { stats } = held;
  if (stats.nlink > 1n) {
    const key = `${stats.dev}:${stats.ino}`;
    const first = seen.get(key);
    if (first !== undefined) {
      yield header(held, at, { kind: 'hardlink', name, linkName: first }, options);
      return;
    }
    seen.set(key, name);
  }
  const fd = reopen(held, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const sizeBytes = Number(stats.size);
    yield header(held, at, { kind: 'file', name, sizeBytes }, options);
    for (let left = sizeBytes; left > 0;) {
      const piece = Buffer.allocUnsafe(Math.min(pieceBytes, left));
      const count = readSync(fd, piece);
      const bytes = count === 0 ? Buffer.alloc(piece.length) : piece.subarray(0, count);
      left -= bytes.length;
      yield bytes;
    }
    yield padding(sizeBytes);
  } finally {
    closeSync(fd);
  }
}

function header(
  { stats }: Held,
  at: { readonly directory: number; readonly name: string },
  entry: {
    readonly kind: TarEntryKind;
    readonly name: string;
    readonly linkName?: string;
    readonly sizeBytes?: number;
  },
  options: PackOptions,
): Buffer {
  const { kind, name, linkName = '', sizeBytes = 0 } = entry;
  const isDevice = kind === 'character-device' || kind === 'block-device';
  const full: TarEntry = {
    kind,
    name: Buffer.from(name, 'latin1'),
    linkName: Buffer.from(linkName, 'latin1'),
    mode: Number(stats.mode & 0o7777n),
    userId: Number(stats.uid),
    groupId: Number(stats.gid),
    sizeBytes,
    // Whole seconds, as docker's archives have them: fractions would cost an extended header for each file.
    modifiedNs: (stats.mtimeNs / 1_000_000_000n) * 1_000_000_000n,
    device: isDevice ? deviceOf(stats.rdev) : { major: 0, minor: 0 },
    xattrs: kind === 'hardlink' ? noAttributes : (options.attributesOf ?? capabilityOf)(at.directory, at.name),
  };
  return encodeHeader(full);
}

function capabilityOf(directory: number, name: string): ReadonlyMap<string, Buffer> {
  const value = capabilityAt(directory, name);
  return value === null ? noAttributes : new Map([['security.capability', value]]);
}

/** Null when it is no link any more. */
function linkText({ directory, name }: { readonly directory: number; readonly name: string }): string | null {
  try {
    return readLinkAt(directory, name);
  } catch (error) {
    if (isCode(error, 'EINVAL', 'ENOENT')) return null;
    throw error;
  }
}
