/**
 * Images that nothing needs any more: each recipe and each release has its own, of some 230 MB. An image is old that is neither among the two
 * used last, nor was used within a week (by whatever home of this computer), nor is named by a machine that the caller knows or by a
 * running program. Where all that is wrong, it is made again at the next start.
 */
import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../store/atomic-file.ts';
import { buildFolder } from './cache.ts';
import { noteUse } from './note-use.ts';

export interface OldImage {
  readonly name: string;
  readonly lastUsedMs: number;
  readonly sizeBytes: number;
  remove(): Promise<void>;
}

/** Whether a machine was last booted from a file in this folder. */
export type IsInUse = (folder: string) => Promise<boolean>;

export const imagesFolder = (cacheDir: string): string => join(cacheDir, 'machine-images');

const keptImages = 2;
export const unusedMs = 7 * 24 * 60 * 60_000;

/** Notes that the image in `folder` is used now. */
export async function noteImageUse(folder: string): Promise<void> {
  await noteUse(join(folder, 'manifest.json'));
}

/** The one used longest ago first. */
export async function findOldImages(options: {
  readonly cacheDir: string;
  readonly isInUse: IsInUse;
  readonly nowMs: number;
}): Promise<readonly OldImage[]> {
  const { isInUse, nowMs } = options;
  const images = imagesFolder(options.cacheDir);
  const all = (await Promise.all((await entriesOf(images)).map((name) => lastUse(images, name)))).flat();
  const candidates = all
    .sort((one, other) => other.lastUsedMs - one.lastUsedMs)
    .slice(keptImages)
    .filter(({ lastUsedMs }) => nowMs - lastUsedMs > unusedMs)
    .reverse();
  if (candidates.length === 0) return [];
  const programs = await runningPrograms();
  const old: OldImage[] = [];
  for (const { name, lastUsedMs } of candidates) {
    const folder = join(images, name);
    if (programs.some((line) => line.includes(`${folder}/`)) || (await isInUse(folder))) continue;
    old.push({
      name,
      lastUsedMs,
      sizeBytes: await takenBytes(folder),
      remove: () => removeImage(images, { name, lastUsedMs }),
    });
  }
  return old;
}

async function entriesOf(images: string): Promise<readonly string[]> {
  try {
    return (await readdir(images)).filter((name) => !name.startsWith('.'));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Nothing for what is no image. */
async function lastUse(images: string, name: string): Promise<{ name: string; lastUsedMs: number }[]> {
  try {
    return [{ name, lastUsedMs: (await stat(join(images, name, 'manifest.json'))).mtimeMs }];
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return [];
    throw error;
  }
}

/** By one rename: nobody finds half an image. What is left of a removal that was cut off has the name of a dead build, and goes with those. */
async function removeImage(
  images: string,
  found: { readonly name: string; readonly lastUsedMs: number },
): Promise<void> {
  const { name, lastUsedMs } = found;
  // Somebody may have come to use it since it was found.
  if ((await lastUse(images, name))[0]?.lastUsedMs !== lastUsedMs) return;
  const going = buildFolder({ images, name: `${name}.${randomUUID().slice(0, 8)}` });
  try {
    await rename(join(images, name), going);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return;
    throw error;
  }
  await rm(going, { recursive: true, force: true });
}

async function takenBytes(folder: string): Promise<number> {
  const files = await Promise.all((await readdir(folder, { recursive: true })).map((name) => stat(join(folder, name))));
  return files.reduce((sum, { blocks }) => sum + blocks * 512, 0);
}

/** Command lines of whatever runs, also for another home or user. Linux alone shows those of all cheaply; elsewhere the week counts. */
async function runningPrograms(): Promise<readonly string[]> {
  if (process.platform !== 'linux') return [];
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  // A process that has ended meanwhile names nothing.
  return await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
}
