/**
 * The layer between an image and its containers: files and directories that every container has, whatever its image
 * says, and that must show up neither in `docker diff` nor in a commit. Mount points for what the engine mounts over them,
 * and `/.dockerenv`, by which programs find out that they are in a container. One for each image, made once.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { makeDirectoryAt, openAt, setTimesAt, symlinkAt } from '../kernel/files.ts';
import { findInLayers } from '../layers/apply/lower-layers.ts';
import { metadataOf, setMetadata } from '../layers/apply/metadata.ts';

type Content = 'directory' | 'file' | { readonly linkTo: string };

/** Parents before what is in them. A link or file of the image in the place of one of the directories is covered by it. */
const contents: readonly { readonly path: readonly string[]; readonly content: Content }[] = [
  { path: ['.dockerenv'], content: 'file' },
  { path: ['dev'], content: 'directory' },
  { path: ['dev', 'console'], content: 'file' },
  { path: ['dev', 'pts'], content: 'directory' },
  { path: ['dev', 'shm'], content: 'directory' },
  { path: ['etc'], content: 'directory' },
  { path: ['etc', 'hostname'], content: 'file' },
  { path: ['etc', 'hosts'], content: 'file' },
  { path: ['etc', 'mtab'], content: { linkTo: '/proc/mounts' } },
  { path: ['etc', 'resolv.conf'], content: 'file' },
  { path: ['proc'], content: 'directory' },
  { path: ['sys'], content: 'directory' },
];

/** Fills an empty folder. Directories that the image has keep their owner, mode, attributes and time. `lowers`: topmost first. */
export function fillInitLayer(folder: string, lowers: readonly string[]): void {
  const root = openSync(folder, constants.O_DIRECTORY);
  try {
    for (const { path, content } of contents) make(root, path, content);
    for (const { path, content } of contents.toReversed()) {
      if (content === 'directory') inherit(root, path, lowers);
    }
    inherit(root, [], lowers);
  } finally {
    closeSync(root);
  }
}

/** Makes a folder look like the image's `/`: an upper is what an overlay shows as its root directory. */
export function lookLikeRoot(folder: string, lowers: readonly string[]): void {
  const root = openSync(folder, constants.O_DIRECTORY);
  try {
    inherit(root, [], lowers);
  } finally {
    closeSync(root);
  }
}

function make(root: number, path: readonly string[], content: Content): void {
  inParent(root, path, (directory, name) => {
    if (content === 'directory') makeDirectoryAt(directory, name, 0o755);
    else if (content === 'file')
      closeSync(openAt(directory, name, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o755));
    else symlinkAt(content.linkTo, directory, name);
    setTimesAt(directory, name, 0n);
  });
}

function inherit(root: number, path: readonly string[], lowers: readonly string[]): void {
  using lower = findInLayers(lowers, path);
  const metadata =
    lower?.stats.isDirectory() === true
      ? metadataOf(lower.directory, lower.name, lower.stats)
      : { userId: 0, groupId: 0, mode: 0o755, xattrs: new Map<string, Buffer>(), modifiedNs: 0n, isLink: false };
  inParent(root, path, (directory, name) => setMetadata({ directory, name }, metadata));
}

/** At most two levels deep, in a folder that was empty: every part is a directory of our own. */
function inParent(root: number, path: readonly string[], use: (directory: number, name: string) => void): void {
  const [parent, name] = path.length === 2 ? path : [null, path[0] ?? '.'];
  if (parent === null || parent === undefined || name === undefined) {
    use(root, name ?? '.');
    return;
  }
  const directory = openAt(root, parent, constants.O_DIRECTORY);
  try {
    use(directory, name);
  } finally {
    closeSync(directory);
  }
}
