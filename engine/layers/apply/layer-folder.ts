/**
 * The folder of a layer that is being written, and the only way into it. Directories are opened by the kernel's confined
 * walk and kept open while they are in use, since entries of one directory follow each other in an archive.
 */
import { type BigIntStats, closeSync, constants } from 'node:fs';
import {
  isCode,
  linkAt,
  makeDirectoryAt,
  makeNodeAt,
  openAt,
  openBeneath,
  setAttributeAt,
  statAt,
} from '../../kernel/files.ts';
import { removeTreeSync } from '../../kernel/remove-tree.ts';
import { TarError } from '../../../api/tar/entry.ts';
import type { EntryPath } from './names.ts';

const readDirectory = constants.O_DIRECTORY | constants.O_RDONLY;
const mostKeptOpen = 64;

/** Of a directory until its own is set, which is at the end. */
export const madeDirectoryMode = 0o755;

export const opaqueAttribute = { key: 'trusted.overlay.opaque', value: Buffer.from('y') };

/** A place for an entry: an open directory (of the folder's: do not close it) and the entry's name in it. */
export interface Place {
  readonly directory: number;
  readonly name: string;
}

/** What stood in a place. */
export type Cleared = 'nothing' | 'whiteout' | 'file' | 'directory';

export class LayerFolder implements Disposable {
  readonly #root: number;
  /** Open directories by path, the one that was used last at the end. */
  readonly #open = new Map<string, number>();
  /** Open directories that are known by no path any more. */
  readonly #loose = new Set<number>();
  readonly #onImplicitDirectory: (path: EntryPath) => void;

  /** `root`: the open, empty folder; stays the caller's. `onImplicitDirectory` hears of each directory that no entry announced. */
  constructor(root: number, onImplicitDirectory: (path: EntryPath) => void) {
    this.#root = root;
    this.#onImplicitDirectory = onImplicitDirectory;
  }

  get root(): number {
    return this.#root;
  }

  /** Where an entry belongs; its parents are made when they are missing. Throws TarError when the way there is not a way inside. */
  place(path: EntryPath): Place {
    const name = path.at(-1);
    if (name === undefined) throw new TarError('the root of a layer is a directory');
    return { directory: this.#directory(path.slice(0, -1)), name };
  }

  /** Where something is that was written already; null when it is not there (or hidden by a whiteout). */
  find(path: EntryPath): (Place & { readonly stats: BigIntStats }) | null {
    const name = path.at(-1);
    if (name === undefined) return null;
    const directory = this.#existing(path.slice(0, -1));
    if (directory === null) return null;
    const stats = statAt(directory, name);
    return stats === null || isWhiteout(stats) ? null : { directory, name, stats };
  }

  /** Clears a place for something that is no directory, and tells whether lower layers were hidden there. */
  clear({ directory, name }: Place): Cleared {
    const stats = statAt(directory, name);
    if (stats === null) return 'nothing';
    // Ways that led through it lead elsewhere now.
    if (stats.isDirectory() || stats.isSymbolicLink()) this.#forgetWays(directory);
    removeTreeSync(directory, name);
    return isWhiteout(stats) ? 'whiteout' : stats.isDirectory() ? 'directory' : 'file';
  }

  /**
   * Makes something new at this place, which is cleared when there is something: the directory stays open meanwhile.
   * `make` must fail with EEXIST then.
   */
  make<T>({ directory, name }: Place, make: (place: Place) => T): { readonly made: T; readonly before: Cleared } {
    try {
      return { made: make({ directory, name }), before: 'nothing' };
    } catch (error) {
      if (!isCode(error, 'EEXIST')) throw error;
    }
    const before = this.clear({ directory, name });
    return { made: make({ directory, name }), before };
  }

  /** A directory at this place, of mode 0755 when it is new: one that takes a whiteout's place hides lower ones. Returns what stood there. */
  ensureDirectory(place: Place): Cleared {
    try {
      makeDirectoryAt(place.directory, place.name, madeDirectoryMode);
      return 'nothing';
    } catch (error) {
      if (!isCode(error, 'EEXIST')) throw error;
    }
    if (statAt(place.directory, place.name)?.isDirectory() === true) return 'directory';
    const before = this.clear(place);
    makeDirectoryAt(place.directory, place.name, madeDirectoryMode);
    if (before === 'whiteout') setAttributeAt(place.directory, place.name, opaqueAttribute);
    return before;
  }

  /** Hides what lower layers have under this name; what this layer has there stays. */
  hide({ directory, name }: Place): void {
    const stats = statAt(directory, name);
    if (stats?.isDirectory() === true) setAttributeAt(directory, name, opaqueAttribute);
    else if (stats === null) makeNodeAt(directory, name, { mode: constants.S_IFCHR, major: 0, minor: 0 });
  }

  /** Hides all that lower layers have in this directory. */
  hideInside(path: EntryPath): void {
    setAttributeAt(this.#directory(path), '.', opaqueAttribute);
  }

  /** Gives the file at `from` a second name, in the place of whatever is there. */
  link(from: Place, to: Place): void {
    this.clear(to);
    linkAt(from, to);
  }

  [Symbol.dispose](): void {
    for (const fd of [...this.#open.values(), ...this.#loose]) closeSync(fd);
    this.#open.clear();
    this.#loose.clear();
  }

  #directory(path: EntryPath): number {
    const existing = this.#existing(path);
    if (existing !== null) return existing;
    const place = this.place(path);
    const stats = statAt(place.directory, place.name);
    if (stats !== null && !isWhiteout(stats)) {
      const what = stats.isSymbolicLink() ? 'a link that leads to no directory' : 'no directory';
      throw new TarError(`the path goes through ${JSON.stringify(path.join('/'))}, which is ${what}`);
    }
    this.ensureDirectory(place);
    this.#onImplicitDirectory(path);
    return this.#keep(path.join('/'), openAt(place.directory, place.name, readDirectory));
  }

  /** Null when it, or a part of the way, is not there or is no directory. Throws TarError when the way leads out. */
  #existing(path: EntryPath): number | null {
    if (path.length === 0) return this.#root;
    const key = path.join('/');
    const kept = this.#open.get(key);
    if (kept !== undefined) {
      this.#open.delete(key);
      this.#open.set(key, kept);
      return kept;
    }
    try {
      return this.#keep(key, openBeneath(this.#root, key, readDirectory));
    } catch (error) {
      if (isCode(error, 'ENOENT', 'ENOTDIR')) return null;
      if (!isCode(error, 'EXDEV', 'ELOOP')) throw error;
      throw new TarError(`the path goes through a link that leads out of the layer (${JSON.stringify(key)})`, {
        cause: error,
      });
    }
  }

  #keep(key: string, fd: number): number {
    this.#open.set(key, fd);
    if (this.#open.size > mostKeptOpen) {
      const oldest = this.#open.entries().next().value;
      if (oldest !== undefined) {
        this.#open.delete(oldest[0]);
        closeSync(oldest[1]);
      }
    }
    return fd;
  }

  /** `except` is still in use: it is closed at the end. */
  #forgetWays(except: number): void {
    for (const fd of this.#open.values()) {
      if (fd === except) this.#loose.add(fd);
      else closeSync(fd);
    }
    this.#open.clear();
  }
}

export function isWhiteout(stats: BigIntStats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0n;
}
