import { closeSync, constants, ftruncateSync, writeSync } from 'node:fs';
import { openAt } from '../../kernel/files.ts';
import { type TarEntry, TarError } from '../../../api/tar/entry.ts';
import type { TarEvent } from '../../../api/tar/reader.ts';
import { type Cleared, LayerFolder, madeDirectoryMode, type Place } from './layer-folder.ts';
import { type LateWork, linkTarget, named } from './late-work.ts';
import { type Metadata, setLinkMetadata, setMetadata, setMetadataOf } from './metadata.ts';
import { entryPath, type EntryPath, type Whiteout, whiteoutOf } from './names.ts';
import { makeSpecialFile } from './special-file.ts';

const noAttributes: ReadonlyMap<string, Buffer> = new Map();

/** A file whose content is coming. */
interface OpenFile {
  readonly fd: number;
  readonly entry: TarEntry;
  writtenTo: number;
}

/** A hard link whose file may be in a layer below: what `LateWork` says of it. */
type LateLink = LateWork['links'][number];

/**
 * Turns the events of a layer's tar into files of a fresh folder. `take` each event, then `finish` once. Errors name the entry; after one the folder is worthless and its owner deletes it.
 */
export class LayerWriter implements Disposable {
  readonly #folder: LayerFolder;
  #file: OpenFile | null = null;
  #name: Buffer = Buffer.alloc(0);
  #sizeBytes = 0;
  #hasReplaced = false;
  /** Keyed by path, so that a later entry of the same path takes the place of an earlier one. */
  readonly #directories = new Map<string, Metadata>();
  readonly #links = new Map<string, LateLink>();
  /** Directories that no entry announced. */
  readonly #implicit = new Set<string>(['']);

  constructor(root: number) {
    this.#folder = new LayerFolder(root, (path) => void this.#implicit.add(path.join('/')));
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
    named(this.#name, () => {
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

  /** All was taken. Gives directories their look, and tells what is left to be done once the layers below are there. */
  finish(): LateWork {
    for (const [key, metadata] of this.#directories) {
      named(`${key}/`, () => this.#setDirectory(this.#placeOf(key === '' ? [] : key.split('/')), metadata));
    }
    return { links: [...this.#links.values()], directories: [...this.#implicit] };
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
    if (entry.kind === 'hardlink') return this.#link(path, entry, place);
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
    // Only what is needed at the end: there may be a million of them.
    const { userId, groupId, mode, modifiedNs, xattrs } = entry;
    const metadata = { userId, groupId, mode, modifiedNs, xattrs: xattrs.size === 0 ? noAttributes : xattrs };
    this.#directories.set(key, metadata);
  }

  #setDirectory({ directory, name }: Place, metadata: Metadata): void {
    const fd = openAt(directory, name, constants.O_DIRECTORY | constants.O_RDONLY);
    try {
      setMetadataOf(fd, metadata, madeDirectoryMode);
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

  #link(path: EntryPath, entry: TarEntry, place: Place): void {
    const key = path.join('/');
    const target = linkTarget(entry.linkName);
    const targetKey = target.join('/');
    if (targetKey === key) return;
    const found = this.#links.has(targetKey) ? null : this.#folder.find(target);
    if (found === null) {
      this.#forget(path, this.#folder.clear(place));
      this.#links.set(key, { name: entry.name.toString('latin1'), linkName: entry.linkName.toString('latin1') });
      return;
    }
    if (found.stats.isDirectory()) throw new TarError('a hard link to a directory');
    // Kept open by the folder, but clearing the place may close what was found.
    this.#forget(path, this.#folder.clear(this.#folder.place(path)));
    const again = this.#folder.find(target);
    if (again === null) throw new TarError('a hard link to a file that it replaces');
    this.#folder.link(again, this.#folder.place(path));
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
}
