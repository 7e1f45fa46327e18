/** Copy-up: an empty volume gets what the image has where it is mounted (docker run reference, "Volume", -v). */
import { closeSync, constants, copyFileSync, fstatSync } from 'node:fs';
import {
  isCode,
  linkAt,
  makeDirectoryAt,
  makeNodeAt,
  namesIn,
  openAt,
  openInRoot,
  readLinkAt,
  symlinkAt,
} from '../kernel/files.ts';
import { removeTreeSync } from '../kernel/remove-tree.ts';
import { deviceOf } from '../layers/apply/lower-layers.ts';
import { metadataOf, setMetadata } from '../layers/apply/metadata.ts';
import { type Held, holdAt, kindOf, reopen, setMetadataOf } from './open-file.ts';
import { insidePath } from './inside-path.ts';

/** `root`, `folder`: open directories. Links in `path` lead where they lead inside `root`. */
export function copyUp(from: { readonly root: number; readonly path: string }, folder: number): void {
  // What mkfs makes in every new file system is no content.
  if (namesIn(folder).some((name) => name !== 'lost+found')) return;
  const source = openSource(from);
  if (source === null) return;
  try {
    copyWhole(source, folder);
    setMetadataOf(folder, metadataOf(source, '.', fstatSync(source, { bigint: true })));
  } finally {
    closeSync(source);
  }
}

/** All of it or nothing: a volume that holds a half would never be filled again. */
function copyWhole(source: number, folder: number): void {
  try {
    copyInside(source, folder, new Map());
  } catch (error) {
    for (const name of namesIn(folder)) if (name !== 'lost+found') removeTreeSync(folder, name);
    throw error;
  }
}

function openSource({ root, path }: { readonly root: number; readonly path: string }): number | null {
  try {
    return openInRoot(root, insidePath(path).relative, constants.O_DIRECTORY | constants.O_RDONLY);
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return null;
    throw error;
  }
}

/** Where a file of several names was copied to first, by device and inode. The directories are open for as long as the copy goes on. */
type Copied = Map<string, { readonly directory: number; readonly name: string }>;

function copyInside(from: number, to: number, copied: Copied): void {
  for (const name of namesIn(from)) {
    using held = holdAt(from, name);
    if (held !== null) copyOne(held, { from, to, name }, copied);
  }
}

function copyOne(
  held: Held,
  at: { readonly from: number; readonly to: number; readonly name: string },
  copied: Copied,
): void {
  const { from, to, name } = at;
  const { stats } = held;
  const place = { directory: to, name };
  switch (kindOf(stats)) {
    case constants.S_IFDIR: {
      makeDirectoryAt(to, name, 0o700);
      const source = reopen(held, constants.O_RDONLY | constants.O_DIRECTORY);
      const target = openAt(to, name, constants.O_DIRECTORY);
      try {
        copyInside(source, target, copied);
        setMetadataOf(target, metadataOf(from, name, stats));
      } finally {
        closeSync(source);
        closeSync(target);
      }
      return;
    }
    case constants.S_IFREG: {
      const key = `${stats.dev}:${stats.ino}`;
      const first = stats.nlink > 1n ? copied.get(key) : undefined;
      if (first !== undefined && isStillOpen(first, to)) return linkAt(first, place);
      copyFile(held, at);
      if (stats.nlink > 1n) copied.set(key, place);
      return;
    }
    case constants.S_IFLNK:
      symlinkAt(readLinkAt(from, name), to, name);
      break;
    case constants.S_IFSOCK:
      return;
    default:
      makeNodeAt(to, name, { mode: Number(stats.mode), ...deviceOf(stats.rdev) });
  }
  setMetadata(place, metadataOf(from, name, stats));
}

/** Second names are kept within one directory; across directories the first one's descriptor may be closed, and its number another's. */
function isStillOpen(first: { readonly directory: number }, directory: number): boolean {
  return first.directory === directory;
}

function copyFile(
  held: Held,
  { from, to, name }: { readonly from: number; readonly to: number; readonly name: string },
): void {
  const source = reopen(held, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const target = openAt(to, name, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
    try {
      // Between two descriptors: the kernel copies, or shares the blocks where the file system can.
      copyFileSync(`/proc/self/fd/${source}`, `/proc/self/fd/${target}`, constants.COPYFILE_FICLONE);
      setMetadataOf(target, metadataOf(from, name, held.stats));
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}
