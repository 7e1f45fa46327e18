/**
 * Freezing and thawing a container's processes, straight through the cgroup files: two writes instead of a crun
 * (source: the kernel's freezer-subsystem.rst for v1, cgroup-v2.rst "cgroup.freeze").
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { internal } from '../model/errors.ts';

/** A process in the kernel (a dead network disk) is frozen when it comes back, which may be never. */
const freezeTimeoutMs = 10_000;

/** Resolves when every process is frozen; what could not be frozen in time is thawed again, and it throws. */
export async function freeze(cgroup: string, root = '/sys/fs/cgroup'): Promise<void> {
  const files = freezerFiles(cgroup, root);
  const deadline = performance.now() + freezeTimeoutMs;
  writeFileSync(files.control, files.frozen);
  for (let waitMs = 1; !files.isFrozen(); waitMs = Math.min(waitMs * 2, 50)) {
    if (performance.now() > deadline) {
      writeFileSync(files.control, files.thawed);
      throw internal(`its processes could not be frozen within ${freezeTimeoutMs / 1000} s: one hangs in the kernel`);
    }
    await delay(waitMs);
    // Children that were forked meanwhile are frozen only by a new write, with v1.
    if (!files.isFrozen()) writeFileSync(files.control, files.frozen);
  }
}

/** Takes effect at once. Does nothing where nothing is frozen, and where the cgroup is gone. */
export function thaw(cgroup: string, root = '/sys/fs/cgroup'): void {
  try {
    const files = freezerFiles(cgroup, root);
    writeFileSync(files.control, files.thawed);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

export function isFrozen(cgroup: string, root = '/sys/fs/cgroup'): boolean {
  try {
    return freezerFiles(cgroup, root).isFrozen();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

interface FreezerFiles {
  readonly control: string;
  readonly frozen: string;
  readonly thawed: string;
  isFrozen(): boolean;
}

function freezerFiles(cgroup: string, root: string): FreezerFiles {
  const old = `${root}/freezer${cgroup}/freezer.state`;
  if (existsSync(`${root}/freezer`)) {
    return {
      control: old,
      frozen: 'FROZEN',
      thawed: 'THAWED',
      isFrozen: () => readFileSync(old, 'latin1').trim() === 'FROZEN',
    };
  }
  const folder = `${root}${cgroup}`;
  return {
    control: `${folder}/cgroup.freeze`,
    frozen: '1',
    thawed: '0',
    isFrozen: () => /^frozen 1$/m.test(readFileSync(`${folder}/cgroup.events`, 'latin1')),
  };
}
