import { lstat, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MachineError } from '../machines.ts';

/**
 * Replaces a file so that a reader, and a computer that loses power, sees the old content or the new, never a part:
 * temporary file beside it, fsync, rename, fsync of the folder. Mode 0600.
 */
export async function writeFileAtomic(path: string, content: string | Uint8Array): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}.new`);
  try {
    await using file = await open(temporary, 'w', 0o600);
    await file.writeFile(content);
    await file.sync();
  } catch (error) {
    await rm(temporary, { force: true });
    if (isErrno(error, 'ENOSPC')) throw new MachineError('no-space', `No space left for ${path}`, { cause: error });
    throw error;
  }
  await rename(temporary, path);
  await syncFolder(folder);
}

/** Makes renames and removals in a folder durable. Windows cannot open a folder; its file system journals names itself. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  await using handle = await open(folder, 'r');
  await handle.sync();
}

export async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return null;
    throw error;
  }
}

export async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return false;
    throw error;
  }
}

/** A folder that only this user may enter. A folder of another user at that path is refused: it could swap our sockets. */
export async function makePrivateFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const found = await lstat(folder);
  const uid = process.getuid?.();
  if (!found.isDirectory() || (uid !== undefined && found.uid !== uid)) {
    throw new MachineError('internal', `${folder} is not a folder of this user; remove it and try again`);
  }
}

export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
