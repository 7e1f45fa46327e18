/**
 * File calls relative to an open directory. What is inside a layer or a container's root comes from strangers: a string
 * path into it may lead anywhere through a link. So a directory is opened once and everything in it is named by one name,
 * which is never followed when it is a link; or the kernel itself confines the walk (openat2).
 *
 * Names and paths are *byte strings*: one character for each byte (latin1), since a file name need not be UTF-8.
 */
import { type BigIntStats, closeSync, constants, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { constants as system } from 'node:os';
import { answeredCall, SystemCallError, slowSystemCall, systemCall } from './libc.ts';

const { errno } = system;

/** An O_PATH descriptor names a file without opening it: a device or fifo is not touched by that. */
export const oPath = 0o10000000;
const oCloseOnExec = 0o2000000;
const atSymlinkNoFollow = 0x100;
const atRemoveDirectory = 0x200;

const openat = systemCall<[number, Buffer, number, number]>(
  'int openat(int dirfd, const char *path, int flags, unsigned int mode)',
);
const openatOrNone = answeredCall<[number, Buffer, number, number]>(
  'int openat(int dirfd, const char *path, int flags, unsigned int mode)',
  [errno.ENOENT],
);
const mkdirat = systemCall<[number, Buffer, number]>('int mkdirat(int dirfd, const char *path, unsigned int mode)');
const mknodat = systemCall<[number, Buffer, number, bigint]>(
  'int mknodat(int dirfd, const char *path, unsigned int mode, uint64_t dev)',
);
const linkat = systemCall<[number, Buffer, number, Buffer, number]>(
  'int linkat(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, int flags)',
);
const symlinkat = systemCall<[Buffer, number, Buffer]>(
  'int symlinkat(const char *target, int newdirfd, const char *linkpath)',
);
const renameat2 = systemCall<[number, Buffer, number, Buffer, number]>(
  'int renameat2(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, unsigned int flags)',
);
const renameExchange = 2;
const unlinkat = systemCall<[number, Buffer, number]>('int unlinkat(int dirfd, const char *path, int flags)');
const fchownat = systemCall<[number, Buffer, number, number, number]>(
  'int fchownat(int dirfd, const char *path, unsigned int owner, unsigned int group, int flags)',
);
const fchmodat = systemCall<[number, Buffer, number, number]>(
  'int fchmodat(int dirfd, const char *path, unsigned int mode, int flags)',
);
const utimensat = systemCall<[number, Buffer, BigInt64Array, number]>(
  'int utimensat(int dirfd, const char *path, const void *times, int flags)',
);
const futimens = systemCall<[number, BigInt64Array]>('int futimens(int fd, const void *times)');
const lsetxattr = systemCall<[Buffer, Buffer, Buffer, number, number]>(
  'int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)',
);
const fsetxattr = systemCall<[number, Buffer, Buffer, number, number]>(
  'int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)',
);
const lgetxattr = answeredCall<[Buffer, Buffer, Buffer, number]>(
  'long lgetxattr(const char *path, const char *name, void *value, size_t size)',
  [errno.ENODATA, errno.ENOTSUP],
);
const llistxattr = systemCall<[Buffer, Buffer, number]>('long llistxattr(const char *path, void *list, size_t size)');
const lseek = systemCall<[number, number, number]>('int64_t lseek(int fd, int64_t offset, int whence)');
const seekData = 3;
const seekHole = 4;
const syncfs = systemCall<[number]>('int syncfs(int fd)');
const syncfsAside = slowSystemCall<[number]>('int syncfs(int fd)');
const openat2 = systemCall<[number, number, Buffer, Buffer, number]>(
  'long syscall(long number, int dirfd, const char *path, const void *how, size_t size)',
);
const openat2Aside = slowSystemCall<[number, number, Buffer, Buffer, number]>(
  'long syscall(long number, int dirfd, const char *path, const void *how, size_t size)',
);

/** One name in `directory`, never followed when it is a link (ELOOP then, or ENOTDIR with O_DIRECTORY). */
export function openAt(directory: number, name: string, flags: number, mode = 0): number {
  return openat(name, directory, cString(name), flags | constants.O_NOFOLLOW | oCloseOnExec, mode);
}

/** The same; null when there is nothing of that name. */
export function openIfThere(directory: number, name: string, flags: number): number | null {
  return openatOrNone(name, directory, cString(name), flags | constants.O_NOFOLLOW | oCloseOnExec, 0);
}

/** A path below `root`; links in it are followed as long as they stay below (EXDEV, ELOOP otherwise), absolute ones never. */
export function openBeneath(root: number, path: string, flags: number): number {
  return confined(root, path, flags, resolveBeneath);
}

/** A path in `root` as a process would see it whose `/` is there: absolute links and `..` stay inside. */
export function openInRoot(root: number, path: string, flags: number): number {
  return confined(root, path, flags, resolveInRoot);
}

/** A path below `root` that no link is followed in. On another thread: a file system that waits for a computer keeps nobody else waiting. */
export function openPlainAside(root: number, path: Buffer, flags: number): Promise<number> {
  const how = openHow(flags, resolveBeneath | resolveNoSymlinks);
  return openat2Aside('', openat2Number, root, Buffer.concat([path, Buffer.alloc(1)]), how, how.length);
}

export function makeDirectoryAt(directory: number, name: string, mode: number): void {
  mkdirat(name, directory, cString(name), mode);
}

/** A device or fifo. `mode` with its type (`constants.S_IFCHR | 0o600`). */
export function makeNodeAt(
  directory: number,
  name: string,
  node: { readonly mode: number; readonly major: number; readonly minor: number },
): void {
  mknodat(name, directory, cString(name), node.mode, deviceNumber(node.major, node.minor));
}

/** A second name for a file; a link is linked itself, not what it points to. */
export function linkAt(from: { directory: number; name: string }, to: { directory: number; name: string }): void {
  linkat(to.name, from.directory, cString(from.name), to.directory, cString(to.name), 0);
}

export function symlinkAt(target: string, directory: number, name: string): void {
  symlinkat(name, cString(target), directory, cString(name));
}

/** Swaps what two names of a directory stand for, at once: nobody ever sees one of them missing. */
export function exchangeAt(directory: number, one: string, other: string): void {
  renameat2(`${one} with ${other}`, directory, cString(one), directory, cString(other), renameExchange);
}

export function unlinkAt(directory: number, name: string): void {
  unlinkat(name, directory, cString(name), 0);
}

export function removeDirectoryAt(directory: number, name: string): void {
  unlinkat(name, directory, cString(name), atRemoveDirectory);
}

export function changeOwnerAt(directory: number, name: string, owner: { userId: number; groupId: number }): void {
  fchownat(name, directory, cString(name), owner.userId, owner.groupId, atSymlinkNoFollow);
}

/** Not for links: they have no mode (EOPNOTSUPP). */
export function changeModeAt(directory: number, name: string, mode: number): void {
  fchmodat(name, directory, cString(name), mode, atSymlinkNoFollow);
}

/** Sets both times, to the nanosecond, of a link itself too. */
export function setTimesAt(directory: number, name: string, modifiedNs: bigint): void {
  utimensat(name, directory, cString(name), bothTimes(modifiedNs), atSymlinkNoFollow);
}

/** The same of an open file. */
export function setTimesOf(fd: number, modifiedNs: bigint): void {
  futimens('', fd, bothTimes(modifiedNs));
}

/** Null when there is nothing of that name. A link is told about itself. */
export function statAt(directory: number, name: string): BigIntStats | null {
  return lstatSync(pathAt(directory, name), { bigint: true, throwIfNoEntry: false }) ?? null;
}

export function readLinkAt(directory: number, name: string): string {
  return readlinkSync(pathAt(directory, name), { encoding: 'latin1' });
}

/** Without `.` and `..`. */
export function namesIn(directory: number): readonly string[] {
  return readdirSync(`/proc/self/fd/${directory}`, { encoding: 'latin1' });
}

export function setAttributeAt(directory: number, name: string, attribute: { key: string; value: Buffer }): void {
  const { key, value } = attribute;
  lsetxattr(`${key} of ${name}`, attributePath(directory, name), cString(key), value, value.length, 0);
}

/** The same of an open file. */
export function setAttributeOf(fd: number, attribute: { key: string; value: Buffer }): void {
  const { key, value } = attribute;
  fsetxattr(key, fd, cString(key), value, value.length, 0);
}

/** Null when it does not have the attribute. */
export function attributeAt(directory: number, name: string, key: string): Buffer | null {
  const value = Buffer.allocUnsafe(64 * 1024);
  const length = lgetxattr(`${key} of ${name}`, attributePath(directory, name), cString(key), value, value.length);
  return length === null ? null : Buffer.from(value.subarray(0, length));
}

export function attributeKeysAt(directory: number, name: string): readonly string[] {
  const list = Buffer.allocUnsafe(64 * 1024);
  try {
    const length = llistxattr(name, attributePath(directory, name), list, list.length);
    return list.toString('latin1', 0, length).split('\0').slice(0, -1);
  } catch (error) {
    if (isCode(error, 'ENOTSUP', 'EOPNOTSUPP')) return [];
    throw error;
  }
}

/**
 * The parts of an open file that its file system keeps (holes lie between them), in order; the whole file where it knows no
 * holes. Source: lseek(2), SEEK_DATA and SEEK_HOLE.
 */
export function dataPartsOf(
  fd: number,
  sizeBytes: number,
): readonly { readonly offset: number; readonly length: number }[] {
  const parts: { readonly offset: number; readonly length: number }[] = [];
  for (let at = 0; at < sizeBytes;) {
    let offset: number;
    try {
      offset = lseek('', fd, at, seekData);
    } catch (error) {
      if (isCode(error, 'ENXIO')) break; // a hole up to the end
      throw error;
    }
    const end = Math.min(lseek('', fd, offset, seekHole), sizeBytes);
    parts.push({ offset, length: end - offset });
    at = end;
  }
  return parts;
}

/** Writes everything of the file system that `fd` is on to the disk. Takes as long as that takes: not for the main thread. */
export function syncFileSystem(fd: number): void {
  syncfs('', fd);
}

/** The same on another thread: costs no process. */
export async function syncFileSystemAside(fd: number): Promise<void> {
  await syncfsAside('', fd);
}

/** An open directory that is closed at the end of its scope: `using directory = heldDirectory(openSync(…))`. */
export function heldDirectory(fd: number): Disposable & { readonly fd: number } {
  return { fd, [Symbol.dispose]: () => closeSync(fd) };
}

export function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

const openat2Number = 437; // the same on x86-64 and arm64
const resolveNoMagicLinks = 0x02n;
const resolveNoSymlinks = 0x04n;
const resolveBeneath = 0x08n;
const resolveInRoot = 0x10n;

/** With `..` in the path the kernel answers EAGAIN when anything was renamed meanwhile, since it cannot tell what that changed. */
const mostAttempts = 32;

function confined(root: number, path: string, flags: number, resolve: bigint): number {
  const how = openHow(flags, resolve | resolveNoMagicLinks);
  for (let attempt = 1; ; attempt++) {
    try {
      return openat2(path, openat2Number, root, cString(path), how, how.length);
    } catch (error) {
      if (attempt === mostAttempts || !isCode(error, 'EAGAIN')) throw error;
    }
  }
}

function openHow(flags: number, resolve: bigint): Buffer {
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(flags | oCloseOnExec), 0);
  how.writeBigUInt64LE(resolve, 16);
  return how;
}

function bothTimes(modifiedNs: bigint): BigInt64Array {
  const nanoseconds = ((modifiedNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const seconds = (modifiedNs - nanoseconds) / 1_000_000_000n;
  return new BigInt64Array([seconds, nanoseconds, seconds, nanoseconds]);
}

function cString(text: string): Buffer {
  if (text.includes('\0')) throw new SystemCallError('name', 22, JSON.stringify(text));
  return Buffer.from(`${text}\0`, 'latin1');
}

/** `/proc/self/fd/N` is the open directory itself, whatever became of its path; one name behind it is as good as an `…at` call. */
function pathAt(directory: number, name: string): Buffer {
  if (name.includes('/') || name === '..') throw new SystemCallError('name', 22, JSON.stringify(name));
  return Buffer.from(`/proc/self/fd/${directory}/${name}`, 'latin1');
}

function attributePath(directory: number, name: string): Buffer {
  return Buffer.concat([pathAt(directory, name), Buffer.alloc(1)]);
}

/** glibc's dev_t. */
function deviceNumber(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & ~0xfffn) << 32n) | ((high & 0xfffn) << 8n) | ((low & ~0xffn) << 12n) | (low & 0xffn);
}
