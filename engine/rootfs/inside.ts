/**
 * Files inside a container's root, for the engine's own needs. The container may have put links anywhere, and may be
 * running: every walk is done by the kernel, confined to the root (openat2, RESOLVE_IN_ROOT), so that a link leads where
 * it would lead the container itself and nowhere else.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { changeOwnerAt, isCode, makeDirectoryAt, openAt, oPath, openInRoot } from '../kernel/files.ts';
import { invalid } from '../model/errors.ts';

/**
 * The content of a regular file, links followed inside `root` (a trusted, absolute path). Null when there is none, or it
 * is no regular file: opening a fifo or a device could block or do something. Throws `invalid` when it is larger than
 * `maxBytes`: an image may bring an `/etc/passwd` of ten gigabytes.
 */
export function readInside(root: string, file: string, options: { readonly maxBytes: number }): Buffer | null {
  const rootFd = openSync(root, constants.O_DIRECTORY);
  try {
    const found = openExisting(rootFd, partsOf(file), oPath);
    if (found === null) return null;
    try {
      if (!fstatSync(found).isFile()) return null;
      // The very file that was looked at: whatever its path names by now.
      const fd = openSync(`/proc/self/fd/${found}`, constants.O_RDONLY);
      try {
        return readAll(fd, { name: file, ...options });
      } finally {
        closeSync(fd);
      }
    } finally {
      closeSync(found);
    }
  } finally {
    closeSync(rootFd);
  }
}

/** A directory and its parents inside `root`, where they are missing: root's, or `owner`'s, mode 0755. Throws `invalid` when something else is in the way. */
export function makeDirectoryInside(
  root: string,
  directory: string,
  owner: { readonly userId: number; readonly groupId: number } = { userId: 0, groupId: 0 },
): void {
  const rootFd = openSync(root, constants.O_DIRECTORY);
  let at = openAt(rootFd, '.', constants.O_DIRECTORY);
  try {
    const walked: string[] = [];
    for (const part of partsOf(directory)) {
      walked.push(part);
      const next = ensure({ rootFd, at, walked, owner });
      closeSync(at);
      at = next;
    }
  } finally {
    closeSync(at);
    closeSync(rootFd);
  }
}

/** An empty file inside `root`, mode 0755, where nothing is; its directory is made as above. */
export function makeFileInside(root: string, file: string): void {
  const all = partsOf(file);
  const [parts, name] = [all.slice(0, -1), all.at(-1) ?? '.'];
  makeDirectoryInside(root, printable(parts.join('/')));
  const rootFd = openSync(root, constants.O_DIRECTORY);
  try {
    const directory = openInRoot(rootFd, parts.join('/') || '.', constants.O_DIRECTORY);
    try {
      closeSync(openAt(directory, name, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o755));
    } catch (error) {
      if (!isCode(error, 'EEXIST')) throw error; // also a link that leads nowhere: the runtime decides about it
    } finally {
      closeSync(directory);
    }
  } finally {
    closeSync(rootFd);
  }
}

/** Whether something is there, links followed inside `root`. */
export function isInside(root: string, path: string): boolean {
  const rootFd = openSync(root, constants.O_DIRECTORY);
  try {
    const found = openExisting(rootFd, partsOf(path), oPath);
    if (found !== null) closeSync(found);
    return found !== null;
  } finally {
    closeSync(rootFd);
  }
}

interface Step {
  readonly rootFd: number;
  /** What all but the last of `walked` leads to. */
  readonly at: number;
  readonly walked: readonly string[];
  readonly owner: { readonly userId: number; readonly groupId: number };
}

function ensure({ rootFd, at, walked, owner }: Step): number {
  const path = walked.join('/');
  const existing = openExisting(rootFd, walked, constants.O_DIRECTORY);
  if (existing !== null) return existing;
  const name = walked.at(-1) ?? '.';
  try {
    makeDirectoryAt(at, name, 0o755);
  } catch (error) {
    // A file, or a link that leads to none: the kernel made nothing.
    if (isCode(error, 'EEXIST', 'ENOTDIR'))
      throw invalid(`cannot mkdir: /${printable(path)} is not a directory`, { cause: error });
    throw error;
  }
  changeOwnerAt(at, name, owner);
  return openAt(at, name, constants.O_DIRECTORY);
}

/** Null when there is nothing there, or nothing of that kind. */
function openExisting(rootFd: number, path: readonly string[], flags: number): number | null {
  try {
    return openInRoot(rootFd, path.join('/') || '.', flags);
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return null;
    throw error;
  }
}

/** As byte strings; `.` and empty parts dropped, and `..` taken back as a path says it, before any link is looked at. */
function partsOf(path: string): readonly string[] {
  const parts: string[] = [];
  for (const part of Buffer.from(path).toString('latin1').split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts;
}

function printable(path: string): string {
  return Buffer.from(path, 'latin1').toString('utf8');
}

function readAll(fd: number, limit: { readonly name: string; readonly maxBytes: number }): Buffer {
  const chunks: Buffer[] = [];
  for (let total = 0; ;) {
    const chunk = Buffer.alloc(64 * 1024);
    const count = readSync(fd, chunk);
    if (count === 0) return Buffer.concat(chunks);
    total += count;
    if (total > limit.maxBytes) throw invalid(`${limit.name} of the container has more than ${limit.maxBytes} bytes`);
    chunks.push(chunk.subarray(0, count));
  }
}
