/** A container's processes as `docker top` lists them: as `ps` on the host would, with the host's pids and names. */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import type { PsContext } from './columns.ts';
import { pidsOfCgroup, readProcess } from './proc.ts';
import { psColumns } from './ps-arguments.ts';

export interface ProcessTable {
  readonly Titles: readonly string[];
  readonly Processes: readonly (readonly string[])[];
}

/** `psArgs`: of ps, see `psColumns`. */
export function processTable(cgroup: string, psArgs: string): ProcessTable {
  const columns = psColumns(psArgs);
  const context = hostContext();
  const processes = pidsOfCgroup(cgroup).flatMap((pid) => readProcess(pid) ?? []);
  return {
    Titles: columns.map(({ title }) => title),
    Processes: processes.map((facts) => columns.map((column) => column.value(facts, context))),
  };
}

function hostContext(): PsContext {
  const users = namesOf('/etc/passwd');
  const groups = namesOf('/etc/group');
  return {
    uptimeSeconds: Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]),
    now: new Date(),
    memoryBytes: totalmem(),
    userName: (uid) => users.get(uid) ?? String(uid),
    groupName: (gid) => groups.get(gid) ?? String(gid),
  };
}

/** The first name of each id. */
function namesOf(file: string): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [name = '', , id = ''] = line.split(':');
    if (/^\d+$/.test(id) && !names.has(Number(id))) names.set(Number(id), name);
  }
  return names;
}
