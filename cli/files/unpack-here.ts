import { chmod, link, lchown, lstat, lutimes, mkdir, open, rm, symlink, utimes } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import type { TarEntry } from '../../api/tar/entry.ts';
import { TarReader } from '../../api/tar/reader.ts';
import type { TarEvent } from '../../api/tar/reader.ts';
import { CommandError } from '../usage-error.ts';

/**
 * Unpacks an archive that a container's files came in, on this computer. What is in it was written by whoever runs in the
 * container: a name never leads out of `folder`, neither by `..` nor through a link that came before it in the archive.
 */
export interface UnpackOptions {
  /** Where everything goes; is there already. */
  readonly folder: string;
  /** The first part of every name in the archive; `.` or `/` when there is none. */
  readonly base: string;
  /** Stands in its place; empty: the content goes straight into `folder`. */
  readonly newBase: string;
  /** Owners as in the archive; only root can. */
  readonly keepsOwners: boolean;
}

/** Resolves with the bytes of the archive, and what could not be made here (devices), for the reader. */
export async function unpackHere(
  tar: AsyncIterable<Buffer>,
  options: UnpackOptions,
): Promise<{ readonly sizeBytes: number; readonly leftOut: readonly string[] }> {
  const unpacking = new Unpacking(options);
  const reader = new TarReader();
  try {
    for await (const chunk of tar) {
      unpacking.sizeBytes += chunk.length;
      for (const event of reader.push(chunk)) await unpacking.take(event);
    }
    for (const event of reader.end()) await unpacking.take(event);
    await unpacking.finish();
  } finally {
    await unpacking.close();
  }
  return unpacking;
}

class Unpacking {
  readonly #options: UnpackOptions;
  readonly #folders: { readonly path: string; readonly entry: TarEntry }[] = [];
  /** Folders below the target that are known to be folders and no links. */
  readonly #checked = new Set<string>();
  #file: { readonly handle: FileHandle; readonly path: string; readonly entry: TarEntry } | null = null;
  sizeBytes = 0;
  readonly leftOut: string[] = [];

  constructor(options: UnpackOptions) {
    this.#options = options;
    this.#checked.add(options.folder);
  }

  async take(event: TarEvent): Promise<void> {
    if (event.kind === 'entry') return this.#begin(event.entry);
    if (this.#file === null) return;
    if (event.kind === 'data') {
      await this.#file.handle.write(event.bytes, 0, event.bytes.length, event.atByte);
      return;
    }
    const { handle, path, entry } = this.#file;
    await handle.truncate(entry.sizeBytes); // A hole at the end was never written.
    await this.close();
    await this.#finishEntry(path, entry);
  }

  /** Times of folders come last: each file that is made in one changes them. */
  async finish(): Promise<void> {
    for (const { path, entry } of this.#folders.reverse()) await this.#finishEntry(path, entry);
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.handle.close();
  }

  async #begin(entry: TarEntry): Promise<void> {
    const path = this.#pathOf(entry.name.toString('utf8'));
    if (path === this.#options.folder && entry.kind === 'directory') return;
    await this.#checkFolders(dirname(path));
    await this.#makeWay(path, entry);
    switch (entry.kind) {
      case 'file':
        this.#file = { handle: await open(path, 'wx', 0o600), path, entry };
        return;
      case 'directory':
        await mkdir(path, { recursive: true });
        this.#folders.push({ path, entry });
        return;
      case 'symlink':
        await symlink(entry.linkName, path);
        await this.#finishEntry(path, entry);
        return;
      case 'hardlink': {
        const first = this.#pathOf(entry.linkName.toString('utf8'));
        await this.#checkFolders(dirname(first));
        await link(first, path);
        return;
      }
      case 'character-device':
      case 'block-device':
      case 'fifo':
        this.leftOut.push(`${path}: a ${entry.kind.replace('-', ' ')} is not made on this computer`);
    }
  }

  #pathOf(name: string): string {
    const { folder, base, newBase } = this.#options;
    const parts = name.split('/').filter((part) => part !== '' && part !== '.');
    if (parts.includes('..')) throw new CommandError(`the archive has a name that leads out of it: ${name}`);
    const rest = base === '.' || base === '/' ? parts : parts.slice(1);
    return join(folder, newBase, ...rest);
  }

  /** Every folder on the way must be one; one that is missing is made. */
  async #checkFolders(path: string): Promise<void> {
    if (this.#checked.has(path)) return;
    if (path.length < this.#options.folder.length)
      throw new CommandError(`${path} is outside of ${this.#options.folder}`);
    await this.#checkFolders(dirname(path));
    const found = await lstatOrNull(path);
    if (found === null) await mkdir(path);
    else if (!found.isDirectory()) {
      throw new CommandError(`${path} is no folder: an archive is not unpacked through links`);
    }
    this.#checked.add(path);
  }

  /** What is there gives way; a folder only to a folder. */
  async #makeWay(path: string, entry: TarEntry): Promise<void> {
    const found = await lstatOrNull(path);
    if (found === null) return;
    if (found.isDirectory()) {
      if (entry.kind === 'directory') return;
      throw new CommandError(`cannot overwrite directory "${path}" with non-directory`);
    }
    if (entry.kind === 'directory') throw new CommandError(`cannot overwrite non-directory "${path}" with directory`);
    await rm(path);
  }

  async #finishEntry(path: string, entry: TarEntry): Promise<void> {
    const seconds = Number(entry.modifiedNs / 1_000_000n) / 1000;
    if (this.#options.keepsOwners) await lchown(path, entry.userId, entry.groupId);
    if (entry.kind === 'symlink') return lutimes(path, seconds, seconds);
    // Files for a person of this computer: nothing in a container makes a program run here as its owner.
    await chmod(path, entry.mode & (this.#options.keepsOwners ? 0o7777 : 0o777));
    await utimes(path, seconds, seconds);
  }
}

async function lstatOrNull(path: string): Promise<Stats | null> {
  try {
    return await lstat(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** `a/` and `a/.` say: a folder. */
export function assertsFolder(path: string): boolean {
  return path.endsWith('/') || path.endsWith(sep) || /(^|[\\/])\.$/.test(path);
}
