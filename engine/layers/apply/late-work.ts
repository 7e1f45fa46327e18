/**
 * What of a layer needs the layers below it: hard links to files of theirs, and the look of directories that the archive
 * uses but does not list. It is done when those are there, so that all layers of an image can be unpacked side by side.
 */
import { statAt, setTimesAt } from '../../kernel/files.ts';
import { printableName, TarError } from '../../../api/tar/entry.ts';
import { LayerFolder, madeDirectoryMode, type Place } from './layer-folder.ts';
import { copyUp, findInLayers } from './lower-layers.ts';
import { metadataOf, setMetadata } from './metadata.ts';
import { entryPath, type EntryPath, whiteoutOf } from './names.ts';

/** Names are byte strings (latin1), as they stand in the archive; so this can be sent as JSON. */
export interface LateWork {
  /** In the order of the archive. */
  readonly links: readonly { readonly name: string; readonly linkName: string }[];
  /** The root is the empty name. */
  readonly directories: readonly string[];
}

/** Few calls enough that they may be made, and names enough that they may be sent, where others would wait for it. */
export function isLittleWork({ links, directories }: LateWork): boolean {
  return links.length === 0 && directories.length < 16;
}

/** Where a hard link leads. Throws TarError for what no file can be. */
export function linkTarget(linkName: Buffer): EntryPath {
  const target = entryPath(linkName);
  if (target.length === 0) throw new TarError('a hard link to a directory');
  if (whiteoutOf(target) !== null) throw new TarError('a hard link to a whiteout');
  return target;
}

/**
 * Does it. `root`: the open folder of the layer; `lowers`: absolute folders, topmost first. Returns the bytes of the files
 * that had to be copied up. Errors name the entry.
 */
export function doLateWork(root: number, work: LateWork, lowers: readonly string[]): number {
  const implicit = new Map(work.directories.map((name) => [name, entryPathOf(name)]));
  using folder = new LayerFolder(root, (path) => void implicit.set(path.join('/'), path));
  const times = new Map<string, { readonly path: EntryPath; readonly modifiedNs: bigint }>();
  const rememberTimes = (path: EntryPath): void => {
    for (let depth = path.length - 1; depth >= 0; depth--) {
      const parent = path.slice(0, depth);
      const found = depth === 0 ? statAt(root, '.') : (folder.find(parent)?.stats ?? null);
      const key = parent.join('/');
      if (found !== null && !times.has(key)) times.set(key, { path: parent, modifiedNs: found.mtimeNs });
    }
  };
  let copiedBytes = 0;
  for (const { name, linkName } of work.links) {
    copiedBytes += named(name, () => {
      const link = { path: entryPathOf(name), target: linkTarget(Buffer.from(linkName, 'latin1')) };
      rememberTimes(link.path);
      rememberTimes(link.target);
      return makeLink(folder, link, lowers);
    });
  }
  for (const { path, modifiedNs } of times.values()) {
    const { directory, name } = placeOf(folder, path);
    setTimesAt(directory, name, modifiedNs);
  }
  for (const path of implicit.values()) named(`${path.join('/')}/`, () => inherit(folder, path, lowers));
  return copiedBytes;
}

function makeLink(
  folder: LayerFolder,
  { path, target }: { readonly path: EntryPath; readonly target: EntryPath },
  lowers: readonly string[],
): number {
  let copiedBytes = 0;
  if (folder.find(target) === null) {
    using lower = findInLayers(lowers, target);
    if (lower === null || isHidden(folder, target)) {
      throw new TarError(`a hard link to ${printableName(Buffer.from(target.join('/'), 'latin1'))}, which is nowhere`);
    }
    if (lower.stats.isDirectory()) throw new TarError('a hard link to a directory');
    copyUp(lower, folder.place(target));
    copiedBytes = Number(lower.stats.size);
  }
  const place = folder.place(path);
  const found = folder.find(target);
  if (found === null || found.stats.isDirectory()) throw new TarError('a hard link to a directory');
  folder.link(found, place);
  return copiedBytes;
}

/** Whether this layer itself hides what lower ones have under this path. */
function isHidden(folder: LayerFolder, path: EntryPath): boolean {
  const { directory, name } = folder.place(path);
  return statAt(directory, name) !== null;
}

/** A directory that the archive uses without listing it looks as it does below; where it is new, it is root's with mode 0755. */
function inherit(folder: LayerFolder, path: EntryPath, lowers: readonly string[]): void {
  const place = placeOf(folder, path);
  using lower = findInLayers(lowers, path);
  if (lower?.stats.isDirectory() === true) {
    setMetadata(place, metadataOf(lower.directory, lower.name, lower.stats));
  } else {
    const plain = { userId: 0, groupId: 0, mode: madeDirectoryMode, xattrs: new Map<string, Buffer>() };
    setMetadata(place, { ...plain, modifiedNs: 0n, isLink: false });
  }
}

function placeOf(folder: LayerFolder, path: EntryPath): Place {
  return path.length === 0 ? { directory: folder.root, name: '.' } : folder.place(path);
}

function entryPathOf(name: string): EntryPath {
  return name === '' ? [] : entryPath(Buffer.from(name, 'latin1'));
}

/** Errors name the entry that they came up at. */
export function named<T>(name: Buffer | string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `${printableName(Buffer.isBuffer(name) ? name : Buffer.from(name, 'latin1'))}: ${reason}`;
    throw error instanceof TarError ? new TarError(message, { cause: error }) : new Error(message, { cause: error });
  }
}
