/**
 * What a suite may leave behind on this computer: processes, mounts, network interfaces and namespaces, firewall tables,
 * cgroups, temporary files. A picture is taken before and after; the difference that bears our name is a failure.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';

export type Traces = Readonly<
  Record<'processes' | 'mounts' | 'links' | 'namespaces' | 'tables' | 'cgroups' | 'files', ReadonlySet<string>>
>;

const ours = /skiff/i;

export function readTraces(): Traces {
  return {
    processes: new Set(processes()),
    mounts: new Set(lines('/proc/self/mounts').flatMap((line) => (ours.test(line) ? [line.split(' ')[1] ?? ''] : []))),
    links: new Set(fold(() => readdirSync('/sys/class/net')).filter((name) => /^(sk|veth)/.test(name))),
    namespaces: new Set(fold(() => readdirSync('/run/netns')).filter((name) => ours.test(name))),
    tables: new Set(tables()),
    cgroups: new Set(cgroups()),
    files: new Set(fold(() => readdirSync(os.tmpdir())).filter((name) => ours.test(name))),
  };
}

/** What stands in `after` and not in `before`, as lines for a person. */
export function leaked(before: Traces, after: Traces): readonly string[] {
  return (Object.keys(after) as (keyof Traces)[]).flatMap((kind) =>
    [...after[kind]].filter((trace) => !before[kind].has(trace)).map((trace) => `${kind}: ${trace}`),
  );
}

/** Programs of ours and those that ours start, with their pid; this process and its parents aside. */
function processes(): readonly string[] {
  const own = new Set([String(process.pid), String(process.ppid)]);
  return fold(() => readdirSync('/proc'))
    .filter((name) => /^\d+$/.test(name) && !own.has(name))
    .flatMap((pid) => {
      const words = fold(() => [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()])[0] ?? '';
      const isOurs =
        /engine\/main\.ts|monitor\/main\.ts|dns\/main\.ts|host-agent\/main\.(ts|cjs)|qemu-system|chrom(e|ium).*skiff|sshd.*skiff/.test(
          words,
        );
      return isOurs ? [`${pid} ${words.slice(0, 160)}`] : [];
    });
}

function tables(): readonly string[] {
  return fold(() =>
    execFileSync('nft', ['list', 'tables'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n'),
  ).filter((line) => ours.test(line));
}

function cgroups(): readonly string[] {
  const root = '/sys/fs/cgroup';
  const folders = fold(() => readdirSync(root)).filter((name) => !name.includes('.'));
  return [root, ...folders.map((name) => `${root}/${name}`)].flatMap((folder) =>
    fold(() => readdirSync(folder))
      .filter((name) => /^skiff/.test(name))
      .map((name) => `${folder}/${name}`),
  );
}

function lines(file: string): readonly string[] {
  return fold(() => readFileSync(file, 'utf8').split('\n'));
}

/** A place that does not exist on this system holds no traces. */
function fold(read: () => readonly string[]): readonly string[] {
  try {
    return read();
  } catch {
    return []; // another system, or gone between two looks
  }
}
