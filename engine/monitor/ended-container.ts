/**
 * What crun keeps of a container that has ended, removed without crun: its empty cgroups and the folder of its state. Starting
 * crun for that costs as much processor time as all the rest of an end. Whatever is not as it always is, is left to crun.
 */
import { readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerId } from '../model/ids.ts';

/**
 * True when nothing of it is left. False when crun has to do it (`crun delete --force`): a process is still in the cgroup
 * (with the host's pid namespace), it has cgroups of its own below, or crun's state is not what is known here (crun 1.x,
 * cgroupfs). What was removed by then, crun does not miss.
 */
export function removeEnded(
  container: { readonly stateFolder: string; readonly id: ContainerId },
  root = '/sys/fs/cgroup',
): boolean {
  const { stateFolder, id } = container;
  const folder = join(stateFolder, id);
  const cgroup = cgroupIn(folder);
  if (cgroup === null || !cgroup.endsWith(`/${id}`) || cgroup.split('/').includes('..')) return false;
  // Version 2 has one hierarchy at the root itself, version 1 a folder for each.
  const hierarchies = [root, ...folders(root).map((name) => join(root, name))];
  const cgroups = hierarchies.map((hierarchy) => join(hierarchy, cgroup));
  if (!cgroups.every(isIdle)) return false;
  if (!cgroups.every(isRemoved)) return false;
  rmSync(folder, { recursive: true, force: true });
  return true;
}

function cgroupIn(folder: string): string | null {
  try {
    const status = JSON.parse(readFileSync(join(folder, 'status'), 'utf8')) as Readonly<Record<string, unknown>>;
    const cgroup = status['cgroup-path'];
    return status['systemd-cgroup'] === false && typeof cgroup === 'string' ? cgroup : null;
  } catch {
    return null; // crun says what is wrong with it
  }
}

function folders(root: string): readonly string[] {
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}

/** No process is in it and no cgroup below it; also when it is not there. */
function isIdle(cgroup: string): boolean {
  try {
    const names = readdirSync(cgroup, { withFileTypes: true });
    if (names.some((entry) => entry.isDirectory())) return false;
    return names.length === 0 || readFileSync(join(cgroup, 'cgroup.procs'), 'latin1') === '';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

function isRemoved(cgroup: string): boolean {
  try {
    rmdirSync(cgroup);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}
