import { MachineError } from '../../machines.ts';

/** What a host that is not ours is, as far as it matters to the engine. */
export interface HostFacts {
  /** `ID` and `ID_LIKE` of os-release(5): `ubuntu`, `debian`. */
  readonly distributions: readonly string[];
  /** For people: `Debian GNU/Linux 12 (bookworm)`. */
  readonly title: string;
  /** Of the kernel: `6.1.0-13-amd64`. */
  readonly kernel: string;
  readonly packageManager: PackageManager | null;
  readonly init: 'systemd' | 'openrc' | 'none';
  readonly libc: 'glibc' | 'musl';
  /** Which of the programs and libraries that were asked for are there. */
  readonly programs: ReadonlySet<string>;
  /** A docker daemon answers there; it is left alone. */
  readonly hasDockerd: boolean;
  /** Id and name of the machine whose engine is there already. */
  readonly owner: { readonly id: string; readonly name: string } | null;
}

export const packageManagers = ['apt-get', 'dnf', 'yum', 'apk', 'pacman', 'zypper'] as const;
export type PackageManager = (typeof packageManagers)[number];

/** Programs that the engine, or its deployment, calls. */
const wantedPrograms = ['crun', 'tar', 'gunzip', 'sha256sum', 'setsid', 'modprobe'] as const;

/** Libraries that it loads. */
const wantedLibraries = ['libnftables.so.1'] as const;

/** One command that tells all of it, in lines `key value`: over a slow line each command costs. */
export function factsScript(marker: string): string {
  return [
    'export PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"',
    'echo "system $(uname -s)"',
    'echo "kernel $(uname -r)"',
    '[ -r /etc/os-release ] && sed -n -e "s/^ID=/id /p" -e "s/^ID_LIKE=/like /p" -e "s/^PRETTY_NAME=/title /p" /etc/os-release',
    `for manager in ${packageManagers.join(' ')}; do command -v "$manager" >/dev/null 2>&1 && echo "manager $manager"; done`,
    '[ -d /run/systemd/system ] && echo "init systemd"',
    '[ -d /run/openrc ] && command -v rc-service >/dev/null 2>&1 && echo "init openrc"',
    'ls /lib/ld-musl-* >/dev/null 2>&1 && echo "libc musl"',
    `for program in ${wantedPrograms.join(' ')}; do command -v "$program" >/dev/null 2>&1 && echo "program $program"; done`,
    `for library in ${wantedLibraries.join(' ')}; do ls -d /lib*/$library /usr/lib*/$library /usr/lib/*/$library 2>/dev/null | grep -q . && echo "program $library"; done`,
    '[ -S /var/run/docker.sock ] && echo "dockerd yes"',
    `[ -r ${marker} ] && echo "owner $(cat ${marker})"`,
    'true',
  ].join('\n');
}

export function parseFacts(answer: string): HostFacts {
  const values = (key: string): string[] =>
    answer.split('\n').flatMap((line) => (line.startsWith(`${key} `) ? [unquote(line.slice(key.length + 1))] : []));
  const system = values('system')[0] ?? 'nothing';
  if (system !== 'Linux') throw new MachineError('deploy-failed', `The engine runs on Linux; that host is ${system}`);
  const distributions = [...values('id'), ...values('like').flatMap((like) => like.split(/\s+/))];
  const [id, name] = values('owner')[0]?.split(' ') ?? [];
  const init = values('init')[0];
  return {
    distributions,
    title: values('title')[0] ?? distributions[0] ?? 'an unknown Linux',
    kernel: values('kernel')[0] ?? '',
    packageManager: packageManagers.find((manager) => values('manager').includes(manager)) ?? null,
    init: init === 'systemd' || init === 'openrc' ? init : 'none',
    libc: values('libc')[0] === 'musl' ? 'musl' : 'glibc',
    programs: new Set(values('program')),
    hasDockerd: values('dockerd').length > 0,
    owner: id === undefined || id === '' ? null : { id, name: name ?? '' },
  };
}

export function missingPrograms(facts: HostFacts): readonly string[] {
  return [...wantedPrograms, ...wantedLibraries].filter((program) => !facts.programs.has(program));
}

/** os-release(5) is shell syntax: values may stand in quotes. */
function unquote(text: string): string {
  const value = text.trim();
  return /^(["']).*\1$/.test(value) ? value.slice(1, -1) : value;
}
