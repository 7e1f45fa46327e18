import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MachineError } from '../../machines.ts';
import type { MachinePaths } from '../../store/home.ts';

/** Below this the engine's first layer would not fit; disks themselves are sparse. */
const leastFreeBytes = 1024 ** 3;

/** Throws `no-space` where a machine's folder has no room for one. */
export async function requireSpace({ folder }: Pick<MachinePaths, 'folder'>): Promise<void> {
  const space = await statfs(dirname(folder));
  const freeBytes = space.bavail * space.bsize;
  if (freeBytes >= leastFreeBytes) return;
  const free = `${Math.floor(freeBytes / 1024 ** 2)} MiB`;
  throw new MachineError(
    'no-space',
    `${folder} has ${free} of free space; a machine needs at least 1 GiB: make room there, or keep machines elsewhere (SKIFF_HOME)`,
  );
}
