import { readFileSync } from 'node:fs';

/** Did the kernel kill processes of this cgroup for want of memory? Source: memory.oom_control (v1), memory.events (v2). */
export function hasMemoryKills(cgroup: string, root = '/sys/fs/cgroup'): boolean {
  for (const path of [`${root}/memory${cgroup}/memory.oom_control`, `${root}${cgroup}/memory.events`]) {
    try {
      const count = /^oom_kill (\d+)$/m.exec(readFileSync(path, 'latin1'))?.[1];
      if (count !== undefined) return Number(count) > 0;
    } catch (error) {
      // The other version of cgroups, or no memory controller for this container.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return false;
}
