import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../store/atomic-file.ts';
import { runtimesFolder } from './node-runtime.ts';
import { type OldImage, unusedMs } from './old-images.ts';

/** As with images; the one of the other architecture may be wanted beside the one used last. */
const keptRuntimes = 2;

/** Those that nobody brought anywhere for a week, but for the two used last; the one used longest ago first. Whoever wants one again fetches it. */
export async function findOldRuntimes(cacheDir: string, nowMs: number): Promise<readonly OldImage[]> {
  const folder = runtimesFolder(cacheDir);
  const all = (await Promise.all((await namesIn(folder)).map((name) => runtime(join(folder, name), name)))).flat();
  return all
    .sort((one, other) => other.lastUsedMs - one.lastUsedMs)
    .slice(keptRuntimes)
    .filter(({ lastUsedMs }) => nowMs - lastUsedMs > unusedMs)
    .reverse();
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).filter((name) => /^node-.*-linux-[^.]*$/.test(name));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

async function runtime(path: string, name: string): Promise<OldImage[]> {
  const used = await lastUse(path);
  if (used === null) return [];
  const { lastUsedMs, sizeBytes } = used;
  const remove = async (): Promise<void> => {
    // Somebody may have come to use it since it was found.
    if ((await lastUse(path))?.lastUsedMs === lastUsedMs) await rm(path, { force: true });
  };
  return [{ name, lastUsedMs, sizeBytes, remove }];
}

/** When its entry changed, which each use does: the time that npm's files carry themselves is one of 1985. */
async function lastUse(path: string): Promise<{ readonly lastUsedMs: number; readonly sizeBytes: number } | null> {
  try {
    const { ctimeMs, size } = await stat(path);
    return { lastUsedMs: ctimeMs, sizeBytes: size };
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null;
    throw error;
  }
}
