/**
 * Cgroups must be mounted before a container starts. On a computer of the old kind (v1, or both) crun refuses to work as long
 * as a controller is left to v2 beside them (hugetlb on some): so every controller that is not mounted is mounted as v1,
 * as the script cgroupfs-mount does. Where nothing is mounted at all, v2 is.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { mountFileSystem } from '../kernel/cgroup-mount.ts';
import { readMounts } from '../kernel/mount-table.ts';

const root = '/sys/fs/cgroup';
/** How long the cgroups of a container that has ended may be there still. */
const goingMs = 5000;

/** Does nothing when all is there. Throws a SystemCallError when it may not. */
export function prepareCgroups(): void {
  const missing = missingControllers();
  if (missing.includes('cgroup2')) {
    mountFileSystem({ type: 'cgroup2', target: root, options: '' });
    return;
  }
  for (const controller of missing) {
    const target = join(root, controller);
    mkdirSync(target, { recursive: true, mode: 0o755 });
    mountFileSystem({ type: 'cgroup', target, options: controller });
  }
}

/** Names of v1 controllers, or `cgroup2` when there are no cgroups at all. */
export function missingControllers(): readonly string[] {
  const mounts = readMounts();
  if (mounts.some(({ type, target }) => type === 'cgroup2' && target === root)) return [];
  const mounted = mounts.filter(({ type, target }) => type === 'cgroup' && target.startsWith(`${root}/`));
  if (mounted.length === 0) return ['cgroup2'];
  const present = new Set(mounted.flatMap(({ superOptions }) => superOptions));
  return enabledControllers(readFileSync('/proc/cgroups', 'latin1')).filter((name) => !present.has(name));
}

/** Source: cgroups(7), /proc/cgroups. */
export function enabledControllers(table: string): readonly string[] {
  return table
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(/\s+/))
    .flatMap(([name, , , enabled]) => (name !== undefined && enabled === '1' ? [name] : []));
}

/**
 * Removes an engine's own cgroup (`/skiff-<engine>`), in all hierarchies, once it has no containers: crun and the monitor remove
 * those of containers, not what they lie in. The end of a container is told before its cgroups are gone, so they are waited
 * for; one that stays in use stays.
 */
export async function removeEngineCgroup(path: string): Promise<void> {
  const roots = [root, ...readMounts().flatMap(({ type, target }) => (type.startsWith('cgroup') ? [target] : []))];
  let folders = [...new Set(roots)].map((folder) => join(folder, path)).filter(existsSync);
  const deadline = performance.now() + goingMs;
  for (;;) {
    folders = folders.filter((folder) => !isRemoved(folder));
    if (folders.length === 0 || performance.now() > deadline) return;
    await setTimeout(10);
  }
}

function isRemoved(cgroup: string): boolean {
  try {
    rmdirSync(cgroup);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EBUSY' && code !== 'ENOTEMPTY' && code !== 'ENOENT') throw error;
    return code === 'ENOENT';
  }
}
