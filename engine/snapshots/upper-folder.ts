/** The steps of snapshots on the disk: each leaves, wherever it is cut off, what was before or what should be, and folders that `tidy` deletes. */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, existsSync, fsync, openSync, readdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { exchangeAt } from '../kernel/files.ts';
import { removeTree } from '../kernel/remove-tree.ts';
import type { Root } from '../rootfs/rootfs.ts';
import type { Trees } from '../trees/trees.ts';

type Folder = Pick<Root, 'folder' | 'upper'>;

const temporary = 'tmp-';
const replaced = 'replaced-';

export function snapshotFolder(containerFolder: string, id: string): string {
  return path.join(containerFolder, 'snapshots', id);
}

/** Copies the upper folder. Returns the bytes of its files; the copy is on the disk, under its own name. */
export async function keepUpper(trees: Trees, { folder, upper }: Folder, id: string): Promise<number> {
  const snapshots = path.join(folder, 'snapshots');
  const unfinished = path.join(snapshots, `${temporary}${id}`);
  const bytes = await trees.copyTree(upper, unfinished);
  renameSync(unfinished, path.join(snapshots, id));
  await synced(snapshots);
  return bytes;
}

/** The upper folder becomes a copy of `from`. `mayChange` is asked when the copy is there: from then on nothing is awaited until it is done. */
export async function replaceUpper(
  trees: Trees,
  { folder, upper }: Folder,
  from: string,
  mayChange: () => void = () => undefined,
): Promise<void> {
  const aside = `${replaced}${randomBytes(8).toString('hex')}`;
  await trees.copyTree(from, path.join(folder, aside));
  const directory = openSync(folder, constants.O_DIRECTORY);
  try {
    try {
      mayChange();
      exchangeAt(directory, path.basename(upper), aside);
      await promisify(fsync)(directory);
    } finally {
      // What it was, or the copy that did not come to be it.
      await removeTree(directory, aside);
    }
  } finally {
    closeSync(directory);
  }
}

export async function removeSnapshotFolder(folder: string, id: string): Promise<void> {
  await removeFrom(path.join(folder, 'snapshots'), (name) => name === id);
}

/** Deletes what interrupted steps left. `known`: ids of the snapshots that are there. */
export async function tidy(folder: string, known: ReadonlySet<string>): Promise<void> {
  await removeFrom(folder, (name) => name.startsWith(replaced));
  await removeFrom(path.join(folder, 'snapshots'), (name) => !known.has(name));
}

async function removeFrom(folder: string, isUnwanted: (name: string) => boolean): Promise<void> {
  if (!existsSync(folder)) return;
  const directory = openSync(folder, constants.O_DIRECTORY);
  try {
    for (const name of readdirSync(folder)) if (isUnwanted(name)) await removeTree(directory, name);
  } finally {
    closeSync(directory);
  }
}

async function synced(folder: string): Promise<void> {
  const directory = openSync(folder, constants.O_DIRECTORY);
  try {
    await promisify(fsync)(directory);
  } finally {
    closeSync(directory);
  }
}
