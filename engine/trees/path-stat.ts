import { type BigIntStats, closeSync, constants, fstatSync } from 'node:fs';
import { isCode, oPath, openInRoot, statAt } from '../kernel/files.ts';
import { formatInstant } from '../model/time.ts';
import { EngineError, invalid, notFound } from '../model/errors.ts';
import { type InsidePath, insidePath, whereItLeads } from './inside-path.ts';
import type { PathStat } from './trees.ts';

/** Something in a tree: the directory that it is in, open, and its name there; `.` when it is the directory itself. */
export interface FoundPath extends Disposable {
  readonly directory: number;
  readonly name: string;
  readonly stat: PathStat;
  readonly isDirectory: boolean;
}

/** Throws `not-found` (the message is the path), `invalid` for a file where a directory is meant. */
export function findPath(root: number, text: string): FoundPath {
  const path = insidePath(text);
  const { directory, name } = locate(root, path, text);
  try {
    const stats = name === '.' ? fstatSync(directory, { bigint: true }) : statAt(directory, name);
    if (stats === null) throw notFound(text);
    return {
      directory,
      name,
      stat: pathStat(path, stats, stats.isSymbolicLink() ? whereItLeads(root, path.relative) : ''),
      isDirectory: stats.isDirectory(),
      [Symbol.dispose]: () => closeSync(directory),
    };
  } catch (error) {
    closeSync(directory);
    throw error;
  }
}

function locate(root: number, path: InsidePath, text: string): { directory: number; name: string } {
  const { relative, isDirectoryMeant } = path;
  const at = relative.lastIndexOf('/');
  try {
    if (isDirectoryMeant) return { directory: openInRoot(root, relative, constants.O_DIRECTORY), name: '.' };
    const parent = at === -1 ? '.' : relative.slice(0, at);
    return { directory: openInRoot(root, parent, oPath | constants.O_DIRECTORY), name: relative.slice(at + 1) };
  } catch (error) {
    throw pathError(error, text);
  }
}

/** What the kernel says about a path, in the engine's words. */
export function pathError(error: unknown, text: string): unknown {
  if (error instanceof EngineError) return error;
  if (isCode(error, 'ENOENT')) return notFound(text);
  if (isCode(error, 'ENOTDIR')) return invalid(`${text}: not a directory`);
  if (isCode(error, 'ELOOP')) return invalid(`${text}: too many levels of symbolic links`);
  if (isCode(error, 'ENAMETOOLONG')) return invalid(`${text}: file name too long`);
  return error;
}

function pathStat(path: InsidePath, stats: BigIntStats, linkTarget: string): PathStat {
  return {
    name: Buffer.from(path.name, 'latin1').toString('utf8'),
    size: Number(stats.size),
    mode: goFileMode(Number(stats.mode)),
    mtime: formatInstant(stats.mtimeNs),
    linkTarget,
  };
}

const goKinds: readonly (readonly [kind: number, bits: number])[] = [
  [constants.S_IFDIR, 2 ** 31],
  [constants.S_IFLNK, 2 ** 27],
  [constants.S_IFBLK, 2 ** 26],
  [constants.S_IFCHR, 2 ** 26 + 2 ** 21],
  [constants.S_IFIFO, 2 ** 25],
  [constants.S_IFSOCK, 2 ** 24],
];

/** Source: Go's io/fs, FileMode. */
export function goFileMode(mode: number): number {
  const kind = goKinds.find(([bits]) => (mode & constants.S_IFMT) === bits)?.[1] ?? 0;
  const setUser = (mode & 0o4000) === 0 ? 0 : 2 ** 23;
  const setGroup = (mode & 0o2000) === 0 ? 0 : 2 ** 22;
  const sticky = (mode & 0o1000) === 0 ? 0 : 2 ** 20;
  return kind + setUser + setGroup + sticky + (mode & 0o777);
}
