import { closeSync, constants, ftruncateSync, writeSync } from 'node:fs';
import { openAt, statAt } from '../../kernel/files.ts';
import { printableName, type TarEntry, TarError } from '../../../api/tar/entry.ts';
import type { TarEvent } from '../../../api/tar/reader.ts';
import { type Cleared, LayerFolder, madeDirectoryMode, type Place } from './layer-folder.ts';
import { copyUp, findInLayers } from './lower-layers.ts';
import { metadataOf, setLinkMetadata, setMetadata, setMetadataOf } from './metadata.ts';
import { entryPath, type EntryPath, type Whiteout, whiteoutOf } from './names.ts';
import { makeSpecialFile } from './special-file.ts';

/** A file whose content is coming. */
interface OpenFile {
  readonly fd: number;
  readonly entry: TarEntry;
  writtenTo: number;
}

interface Late {
  readonly path: EntryPath;
  readonly entry: TarEntry;
}

/**
 * Turns the events of a layer's tar into files of a fresh folder. `take` each event, then `finish` once with the layers
 * below. Errors name the entry; after one the folder is worthless and its owner deletes it.
 */
export class LayerWriter implements Disposable {
  readonly #folder: LayerFolder;
  #file: OpenFile | null = null;
  #name: Buffer = Buffer.alloc(0);
  #sizeBytes = 0;
  #hasReplaced = false;
  /** Keyed by path, so that a later entry of the same path takes the place of an earlier one. */
  readonly #directories = new Map<string, Late>();
  readonly #links = new Map<string, Late>();
  readonly #implicit = new Map<string, EntryPath>([['', []]]);

  constructor(root: number) {
    this.#folder = new LayerFolder(root, (path) => void this.#implicit.set(path.join('/'), path));
  }

  /** Bytes of all files so far. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Whether the content that comes stands in the folder; that of whiteouts does not. */
  get isStoring(): boolean {
    return this.#file !== null;
  }

  /** Whether an entry took the place of an earlier one: what the tar holds of that is not in the folder. */
  get hasReplaced(): boolean {
    return this.#hasReplaced;
  }

  take(event: TarEvent): void {
    if (event.kind === 'entry') this.#name = event.entry.name;
    this.#named(this.#name, () => {
      switch (event.kind) {
        case 'entry':
          return this.#begin(event.entry);
        case 'data':
          return this.#write(event.bytes, event.atByte);
        case 'end':
          return this.#end();
      }
    });
  }

  /** What needs the layers below (absolute folders, topmost first), then the times of directories, which all else would change. */
  finish(lowers: readonly string[]): void {
    for (const link of this.#links.values()) this.#named(link.entry.name, () => this.#linkLate(link, lowers));
    for (const path of this.#implicit.values()) {
      this.#named(Buffer.from(`${path.join('/')}/`, 'latin1'), () => this.#inherit(path, lowers));
    }
    for (const { path, entry } of this.#directories.values()) {
      this.#named(entry.name, () => this.#setDirectory(this.#placeOf(path), entry));
    }
  }

  [Symbol.dispose](): void {
    if (this.#file !== null) closeSync(this.#file.fd);
    this.#file = null;
    this.#folder[Symbol.dispose]();
  }

  #begin(entry: TarEntry): void {
    const path = entryPath(entry.name);
    const whiteout = whiteoutOf(path);
    if (whiteout !== null) return this.#hide(path, whiteout);
    if (entry.kind === 'directory') return this.#beginDirectory(path, entry);
    const place = this.#folder.place(path);
    if (entry.kind === 'hardlink') return this.#link({ path, entry }, place);
    const { kind } = entry;
    if (kind === 'file') {
      const exclusive = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
      const { made: fd, before } = this.#folder.make(place, (at) =>
        openAt(at.directory, at.name, exclusive, entry.mode),
      );
      this.#file = { fd, entry, writtenTo: 0 };
      this.#forget(path, before);
    } else {
      const { before } = this.#folder.make(place, (at) => makeSpecialFile(at, kind, entry));
      this.#forget(path, before);
      if (kind === 'symlink') setLinkMetadata(place, entry);
      else setMetadata(place, { ...entry, isLink: false });
    }
  }

  #write(bytes: Buffer, atByte: number): void {
    if (this.#file === null) return; // content of a whiteout: nobody wants it
    for (let done = 0; done < bytes.length;) {
      done += writeSync(this.#file.fd, bytes, done, bytes.length - done, atByte + done);
    }
    this.#file.writtenTo = atByte + bytes.length;
  }

  #end(): void {
    const file = this.#file;
    if (file === null) return;
    this.#file = null;
    try {
      if (file.writtenTo < file.entry.sizeBytes) ftruncateSync(file.fd, file.entry.sizeBytes);
      setMetadataOf(file.fd, file.entry, file.entry.mode);
    } finally {
      closeSync(file.fd);
    }
    this.#sizeBytes += file.entry.sizeBytes;
  }

  #beginDirectory(path: EntryPath, entry: TarEntry): void {
    const key = path.join('/');
    if (path.length > 0) {
      const before = this.#folder.ensureDirectory(this.#folder.place(path));
      if (before !== 'directory') this.#links.delete(key);
      this.#hasReplaced ||= before === 'file';
    }
    this.#implicit.delete(key);
    this.#directories.delete(key);
    this.#directories.set(key, { path, entry });
  }

  #setDirectory({ directory, name }: Place, entry: TarEntry): void {
    const fd = openAt(directory, name, constants.O_DIRECTORY | constants.O_RDONLY);
    try {
      setMetadataOf(fd, entry, madeDirectoryMode);
    } finally {
      closeSync(fd);
    }
  }

  #hide(path: EntryPath, whiteout: Whiteout): void {
    const parent = path.slice(0, -1);
    if (whiteout.kind === 'opaque') this.#folder.hideInside(parent);
    else if (whiteout.kind === 'whiteout' && !this.#links.has([...parent, whiteout.name].join('/'))) {
      this.#folder.hide(this.#folder.place([...parent, whiteout.name]));
    }
  }

  #link(late: Late, place: Place): void {
    const target = this.#targetOf(late);
    if (target.join('/') === late.path.join('/')) return;
    const found = this.#links.has(target.join('/')) ? null : this.#folder.find(target);
    if (found === null) {
      this.#forget(late.path, this.#folder.clear(place));
      this.#links.set(late.path.join('/'), late);
      return;
    }
    if (found.stats.isDirectory()) throw new TarError('a hard link to a directory');
    // Kept open by the folder, but clearing the place may close what was found.
    this.#forget(late.path, this.#folder.clear(this.#folder.place(late.path)));
    const again = this.#folder.find(target);
    if (again === null) throw new TarError('a hard link to a file that it replaces');
    this.#folder.link(again, this.#folder.place(late.path));
  }

  #linkLate(late: Late, lowers: readonly string[]): void {
    const target = this.#targetOf(late);
    if (this.#folder.find(target) === null) {
      using lower = findInLayers(lowers, target);
      if (lower === null || this.#isHidden(target)) {
        throw new TarError(`a hard link to ${printableName(late.entry.linkName)}, which is nowhere`);
      }
      if (lower.stats.isDirectory()) throw new TarError('a hard link to a directory');
      copyUp(lower, this.#folder.place(target));
      this.#sizeBytes += Number(lower.stats.size);
      this.#inheritParents(target, lowers);
    }
    const found = this.#folder.find(target);
    if (found === null || found.stats.isDirectory()) throw new TarError('a hard link to a directory');
    const place = this.#folder.place(late.path);
    this.#folder.link(this.#folder.find(target) ?? found, place);
  }

  #targetOf({ entry }: Late): EntryPath {
    const target = entryPath(entry.linkName);
    if (target.length === 0) throw new TarError('a hard link to a directory');
    if (whiteoutOf(target) !== null) throw new TarError('a hard link to a whiteout');
    return target;
  }

  /** Whether this layer itself hides what lower ones have under this path. */
  #isHidden(path: EntryPath): boolean {
    const { directory, name } = this.#folder.place(path);
    return statAt(directory, name) !== null;
  }

  #inheritParents(path: EntryPath, lowers: readonly string[]): void {
    for (let depth = path.length - 1; depth > 0; depth--) {
      const parent = path.slice(0, depth);
      if (this.#implicit.has(parent.join('/'))) this.#inherit(parent, lowers);
    }
  }

  /** A directory that the archive uses without listing it looks as it does below; where it is new, it is root's with mode 0755. */
  #inherit(path: EntryPath, lowers: readonly string[]): void {
    const place = this.#placeOf(path);
    using lower = findInLayers(lowers, path);
    if (lower?.stats.isDirectory() === true) {
      setMetadata(place, metadataOf(lower.directory, lower.name, lower.stats));
    } else {
      setMetadata(place, { userId: 0, groupId: 0, mode: 0o755, xattrs: new Map(), modifiedNs: 0n, isLink: false });
    }
  }

  #placeOf(path: EntryPath): Place {
    return path.length === 0 ? { directory: this.#folder.root, name: '.' } : this.#folder.place(path);
  }

  /** A directory that was replaced takes all that was known about what is below with it. */
  #forget(path: EntryPath, was: Cleared): void {
    const key = path.join('/');
    this.#links.delete(key);
    this.#hasReplaced ||= was === 'file' || was === 'directory';
    if (was !== 'directory') return;
    for (const known of [this.#directories, this.#links, this.#implicit]) {
      for (const other of known.keys()) if (other === key || other.startsWith(`${key}/`)) known.delete(other);
    }
  }

  #named<T>(name: Buffer, work: () => T): T {
    try {
      return work();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const message = `${printableName(name)}: ${reason}`;
      throw error instanceof TarError ? new TarError(message, { cause: error }) : new Error(message, { cause: error });
    }
  }
}
