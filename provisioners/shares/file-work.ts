/** What is done to a file of a share, by a path that is safe (safe-tree.ts) and never through a link. */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  ftruncateSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
} from 'node:fs';
import type { Stats } from 'node:fs';
import type { AttributeChange, FileAttributes } from '../../api/shares/attributes.ts';
import { openFlag } from '../../api/shares/packets.ts';
import { openFile } from './safe-tree.ts';

export function openFor(path: Buffer, asked: number, permissions: number): number {
  const has = (flag: number): boolean => (asked & flag) !== 0;
  const access = !has(openFlag.write) ? constants.O_RDONLY : has(openFlag.read) ? constants.O_RDWR : constants.O_WRONLY;
  const flags = access | (has(openFlag.truncate) ? constants.O_TRUNC : 0);
  if (!has(openFlag.create)) return openFile(path, flags, 0);
  try {
    const fd = openFile(path, flags | constants.O_CREAT | constants.O_EXCL, permissions);
    // This process keeps its own files from others; what a container makes has the mode that it asked for.
    fchmodSync(fd, permissions);
    return fd;
  } catch (error) {
    if (has(openFlag.exclusive) || codeOf(error) !== 'EEXIST') throw error;
    return openFile(path, flags, 0);
  }
}

export function makeFolder(path: Buffer, permissions: number): void {
  mkdirSync(path, permissions);
  chmodSync(path, permissions);
}

/** Never what a link leads to: its own times can be changed, and nothing else of it. */
export function changeAt(path: Buffer, { sizeBytes, permissions, times }: AttributeChange): void {
  const isLink = lstatSync(path).isSymbolicLink();
  if (isLink && (sizeBytes !== undefined || permissions !== undefined)) throw coded('EOPNOTSUPP');
  if (sizeBytes !== undefined) {
    const fd = openFile(path, constants.O_WRONLY, 0);
    try {
      ftruncateSync(fd, sizeBytes);
    } finally {
      closeSync(fd);
    }
  }
  if (permissions !== undefined) changeMode(path, permissions);
  if (times !== undefined) {
    const now = Date.now();
    const before = lstatSync(path);
    const timeOf = (wanted: number, old: number): number =>
      (Number.isNaN(wanted) ? old : wanted === Infinity ? now : wanted) / 1000;
    lutimesSync(path, timeOf(times.accessedMs, before.atimeMs), timeOf(times.modifiedMs, before.mtimeMs));
  }
}

function changeMode(path: Buffer, permissions: number): void {
  if (process.platform !== 'linux') return chmodSync(path, permissions);
  // By a descriptor of the file itself (O_PATH): chmod would follow what has become a link meanwhile.
  const fd = openSync(path, constants.O_NOFOLLOW | 0x20_0000);
  try {
    chmodSync(`/proc/self/fd/${fd}`, permissions);
  } finally {
    closeSync(fd);
  }
}

export function changeOpen(fd: number, { sizeBytes, permissions }: AttributeChange): void {
  if (sizeBytes !== undefined) ftruncateSync(fd, sizeBytes);
  if (permissions !== undefined) fchmodSync(fd, permissions);
}

export function statsAt(path: Buffer): FileAttributes {
  return attributesOf(lstatSync(path));
}

export function attributesOf(stats: Stats): FileAttributes {
  return {
    mode: stats.mode,
    sizeBytes: stats.size,
    inode: stats.ino,
    links: stats.nlink,
    blocks: stats.blocks,
    accessedMs: stats.atimeMs,
    modifiedMs: stats.mtimeMs,
    changedMs: stats.ctimeMs,
  };
}

export function coded(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code });
}

export function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : 'EIO';
}
