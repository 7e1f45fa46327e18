/**
 * A tar's entries become files of a directory that a container may be changing at the same time. The directory is opened
 * once; every walk below it is confined to it by the kernel (a link that leads out leads to the same path inside, as if the
 * directory were the root), and what is made is changed by its descriptor alone.
 */
import { closeSync, constants, ftruncateSync, writeSync } from 'node:fs';
import { isCode, linkAt, makeDirectoryAt, openAt, openInRoot, statAt } from '../kernel/files.ts';
import { removeTreeSync } from '../kernel/remove-tree.ts';
import { setMetadata } from '../layers/apply/metadata.ts';
import { makeSpecialFile } from '../layers/apply/special-file.ts';
import { printableName, type TarEntry, TarError } from '../../api/tar/entry.ts';
import type { TarEvent } from '../../api/tar/reader.ts';
import { invalid } from '../model/errors.ts';
import { openOrMakeDirectory } from './inside-path.ts';
import { setMetadataOf } from './open-file.ts';
import type { UnpackInto } from './trees.ts';

interface OpenFile {
  readonly fd: number;
  readonly entry: TarEntry;
  writtenTo: number;
}

interface Place {
  readonly directory: number;
  readonly name: string;
}

/** `take` each event, then `finish`. Errors name the entry; what was written before stays, as with docker. */
export class TreeWriter implements Disposable {
  readonly #root: number;
  readonly #options: UnpackInto;
  #file: OpenFile | null = null;
  /** The parent of the last entry: entries of one directory follow each other. */
  #parent: { readonly key: string; readonly fd: number } | null = null;
  readonly #directories: { readonly parts: readonly string[]; readonly entry: TarEntry }[] = [];

  /** `root`: the open directory; stays the caller's. */
  constructor(root: number, options: UnpackInto) {
    this.#root = root;
    this.#options = options;
  }

  take(event: TarEvent): void {
    switch (event.kind) {
      case 'entry':
        return this.#begin(event.entry);
      case 'data':
        return this.#write(event.bytes, event.atByte);
      case 'end':
        return this.#end();
    }
  }

  /** The times of directories, which all else would change. */
  finish(): void {
    for (const { parts, entry } of this.#directories) {
      try {
        const fd = openInRoot(this.#root, parts.join('/') || '.', constants.O_DIRECTORY | constants.O_NOFOLLOW);
        try {
          setMetadataOf(fd, this.#owned(entry));
        } finally {
          closeSync(fd);
        }
      } catch (error) {
        // The container has taken it away again, or put something else there.
        if (!isCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error;
      }
    }
  }

  [Symbol.dispose](): void {
    if (this.#file !== null) closeSync(this.#file.fd);
    if (this.#parent !== null) closeSync(this.#parent.fd);
    this.#file = null;
    this.#parent = null;
  }

  #begin(entry: TarEntry): void {
    const parts = safeParts(entry.name, 'entry name');
    if (parts.length === 0) {
      if (entry.kind === 'directory') this.#directories.push({ parts, entry });
      return;
    }
    try {
      this.#make(parts, entry);
    } catch (error) {
      throw named(entry.name, error);
    }
  }

  #make(parts: readonly string[], entry: TarEntry): void {
    const place = { directory: this.#openParent(parts.slice(0, -1)), name: parts.at(-1) ?? '.' };
    const stats = statAt(place.directory, place.name);
    const isDirectory = stats?.isDirectory() === true;
    if (stats !== null && this.#options.keepsKinds && isDirectory !== (entry.kind === 'directory')) {
      const [there, here] = isDirectory ? ['directory', 'non-directory'] : ['non-directory', 'directory'];
      throw invalid(
        `cannot overwrite ${there} ${JSON.stringify(Buffer.from(parts.join('/'), 'latin1').toString('utf8'))} with ${here} ${JSON.stringify(this.#options.path)}`,
      );
    }
    const isKept = isDirectory && entry.kind === 'directory';
    const source = entry.kind === 'hardlink' ? this.#linkSource(entry) : null;
    try {
      if (stats !== null && !isKept) this.#clear(place);
      switch (entry.kind) {
        case 'directory':
          if (!isKept) makeDirectoryAt(place.directory, place.name, entry.mode & 0o777);
          this.#directories.push({ parts, entry });
          return;
        case 'file':
          this.#file = { fd: openNew(place), entry, writtenTo: 0 };
          return;
        case 'hardlink':
          if (source !== null) linkAt(source, place);
          return;
        default:
          makeSpecialFile(place, entry.kind, entry);
      }
      setMetadata(place, { ...this.#owned(entry), isLink: entry.kind === 'symlink' });
    } finally {
      if (source !== null) closeSync(source.directory);
    }
  }

  #write(bytes: Buffer, atByte: number): void {
    const file = this.#file;
    if (file === null) return;
    try {
      for (let done = 0; done < bytes.length;) {
        done += writeSync(file.fd, bytes, done, bytes.length - done, atByte + done);
      }
    } catch (error) {
      // On a full disk half a file is of no use, and the engine needs a little room to go on.
      ftruncateSync(file.fd, 0);
      throw error;
    }
    file.writtenTo = atByte + bytes.length;
  }

  #end(): void {
    const file = this.#file;
    if (file === null) return;
    this.#file = null;
    try {
      if (file.writtenTo < file.entry.sizeBytes) ftruncateSync(file.fd, file.entry.sizeBytes);
      setMetadataOf(file.fd, this.#owned(file.entry));
    } finally {
      closeSync(file.fd);
    }
  }

  #owned(entry: TarEntry): TarEntry {
    const { owner } = this.#options;
    return owner === null ? entry : { ...entry, ...owner };
  }

  #openParent(parts: readonly string[]): number {
    const key = parts.join('/');
    if (this.#parent?.key === key) return this.#parent.fd;
    const fd = openOrMakeDirectory(this.#root, parts);
    if (this.#parent !== null) closeSync(this.#parent.fd);
    this.#parent = { key, fd };
    return fd;
  }

  #clear(place: Place): void {
    removeTreeSync(place.directory, place.name);
    // What is kept open may lie in what is gone.
    if (this.#parent !== null && this.#parent.fd !== place.directory) {
      closeSync(this.#parent.fd);
      this.#parent = null;
    }
  }

  /** `directory` is the caller's to close. */
  #linkSource(entry: TarEntry): Place {
    const parts = safeParts(entry.linkName, 'hardlink target');
    if (parts.length === 0) throw new TarError('a hard link to a directory');
    const directory = openInRoot(this.#root, parts.slice(0, -1).join('/') || '.', constants.O_DIRECTORY);
    return { directory, name: parts.at(-1) ?? '.' };
  }
}

function openNew({ directory, name }: Place): number {
  return openAt(directory, name, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
}

/** A leading `/` means the directory that is unpacked into. Throws TarError in docker's words for what leads out of it. */
function safeParts(name: Buffer, what: string): readonly string[] {
  if (name.includes(0)) throw new TarError(`invalid ${what}: it holds a zero byte`);
  const parts: string[] = [];
  for (const part of name.toString('latin1').split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) throw new TarError(`invalid ${what} ${printableName(name)}`);
  }
  return parts;
}

function named(name: Buffer, error: unknown): unknown {
  if (!(error instanceof TarError) && !isCode(error, 'ENOTDIR', 'EEXIST', 'ELOOP', 'ENAMETOOLONG')) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new TarError(`${printableName(name)}: ${reason}`, { cause: error });
}
