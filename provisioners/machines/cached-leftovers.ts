import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { runtimesFolder } from '../machine-image/node-runtime.ts';
import { type OldImage, findOldImages } from '../machine-image/old-images.ts';
import { findOldRuntimes } from '../machine-image/old-runtimes.ts';
import type { Leftover } from '../machines.ts';
import { isErrno } from '../store/atomic-file.ts';
import type { MachineStore } from '../store/machine-store.ts';

/** Whether a machine of this home was last booted from an image: its driver remembers a file of it. One that cannot be read may be. */
export async function isImageInUse(store: MachineStore, folder: string): Promise<boolean> {
  const documents = (await store.names()).map(async (name) => {
    try {
      return JSON.stringify((await store.read(name))?.driverMemory ?? {}).includes(JSON.stringify(folder).slice(1, -1));
    } catch {
      return true;
    }
  });
  return (await Promise.all(documents)).includes(true);
}

/** What the user's cache keeps that nothing needs any more. */
export async function cachedLeftovers(of: {
  readonly store: MachineStore;
  readonly cacheDir: string;
}): Promise<readonly Leftover[]> {
  const { store, cacheDir } = of;
  const isInUse = (folder: string): Promise<boolean> => isImageInUse(store, folder);
  const nowMs = Date.now();
  const images = await findOldImages({ cacheDir, isInUse, nowMs });
  const runtimes = await findOldRuntimes(cacheDir, nowMs);
  return [
    ...images.map((image) => unused('machine image', image)),
    ...runtimes.map((runtime) => unused('Node runtime', runtime)),
    ...(await halfMade(join(cacheDir, 'engine-releases'), 'half an engine release')),
    ...(await halfMade(runtimesFolder(cacheDir), 'half a Node runtime')),
  ];
}

function unused(what: string, { name, lastUsedMs, sizeBytes, remove }: OldImage): Leftover {
  return {
    title: `${what} ${name}, last used on ${new Date(lastUsedMs).toISOString().slice(0, 10)}`,
    sizeBytes,
    cost: `${Math.round(sizeBytes / 1e6)} MB of disk`,
    remove,
  };
}

/** How long nobody bundles an engine, or fetches a runtime. */
const makingMs = 60 * 60_000;

/** Folders of what was killed while it was made. */
async function halfMade(folder: string, what: string): Promise<Leftover[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  });
  const halves = names.filter((name) => name.endsWith('.new'));
  const found = await Promise.all(
    halves.map(async (name): Promise<Leftover[]> => {
      const path = join(folder, name);
      const changed = await stat(path).catch(() => null);
      if (changed === null || Date.now() - changed.mtimeMs < makingMs) return [];
      const remove = (): Promise<void> => rm(path, { recursive: true, force: true });
      return [{ title: `${what} (${name})`, sizeBytes: null, cost: 'its disk space', remove }];
    }),
  );
  return found.flat();
}
