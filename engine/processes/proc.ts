/** Processes as /proc shows them (source: proc_pid_stat(5), proc_pid_status(5)). */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ProcessFacts {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** `S`, `R`, `D`, `Z`, … */
  readonly state: string;
  /** At most 15 bytes. */
  readonly name: string;
  /** Empty for a zombie and for the kernel's own. */
  readonly args: readonly string[];
  readonly terminal: string;
  readonly terminalGroup: number;
  readonly uid: number;
  readonly realUid: number;
  readonly gid: number;
  /** Time on processors, in seconds. */
  readonly cpuSeconds: number;
  /** Seconds since boot. */
  readonly startedAt: number;
  readonly priority: number;
  readonly nice: number;
  readonly threads: number;
  readonly processor: number;
  readonly virtualBytes: number;
  readonly residentBytes: number;
  readonly lockedKilobytes: number;
}

const ticksPerSecond = 100;
const pageBytes = 4096;

/** Null when it has ended. */
export function readProcess(pid: number): ProcessFacts | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const number = (field: number): number => Number(fields[field - 3] ?? 0);
    const idsOf = (name: string): readonly number[] =>
      (new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '').split('\t').map(Number);
    const [realUid = 0, uid = 0] = idsOf('Uid');
    const [, gid = 0] = idsOf('Gid');
    return {
      pid,
      parent: number(4),
      group: number(5),
      session: number(6),
      state: fields[0] ?? '?',
      name: stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')),
      args: command === '' ? [] : command.replace(/\0$/, '').split('\0'),
      terminal: terminalName(number(7)),
      terminalGroup: number(8),
      uid,
      realUid,
      gid,
      cpuSeconds: (number(14) + number(15)) / ticksPerSecond,
      startedAt: number(22) / ticksPerSecond,
      priority: number(18),
      nice: number(19),
      threads: number(20),
      processor: number(39),
      virtualBytes: number(23),
      residentBytes: number(24) * pageBytes,
      lockedKilobytes: Number(/^VmLck:\s*(\d+)/m.exec(status)?.[1] ?? 0),
    };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
}

/** Majors of the kernel's device list: 136 to 143 are /dev/pts, 4 is /dev/tty and /dev/ttyS. */
function terminalName(device: number): string {
  if (device === 0) return '?';
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  if (major >= 136 && major <= 143) return `pts/${(major - 136) * 256 + minor}`;
  if (major === 4) return minor < 64 ? `tty${minor}` : `ttyS${minor - 64}`;
  return major === 5 && minor === 1 ? 'console' : '?';
}

/** Ids of all processes of a cgroup and those below it, in ascending order; none when it is not there. */
export function pidsOfCgroup(path: string, root = '/sys/fs/cgroup'): readonly number[] {
  const folders = [join(root, path), ...['pids', 'memory', 'cpu', 'systemd'].map((name) => join(root, name, path))];
  for (const folder of folders) {
    const pids = pidsBelow(folder);
    if (pids !== null) return pids.toSorted((a, b) => a - b);
  }
  return [];
}

function pidsBelow(folder: string): readonly number[] | null {
  try {
    const own = readFileSync(join(folder, 'cgroup.procs'), 'latin1').split('\n').filter(Boolean).map(Number);
    const below = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...own, ...below.flatMap(({ name }) => pidsBelow(join(folder, name)) ?? [])];
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENODEV') return null;
    throw error;
  }
}
