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
  /** `1.21`; null when there is none, or when it does not say. */
  readonly crunVersion: string | null;
  /** Its own Node; null when it has none. Asked for where there is no runtime of ours for it (musl). */
  readonly node: { readonly path: string; readonly version: string } | null;
  /** A docker daemon answers there; it is left alone. */
  readonly hasDockerd: boolean;
  /** What filters its packets, and may keep containers from the outside: `firewalld`, `ufw`. */
  readonly firewall: 'firewalld' | 'ufw' | null;
  readonly isSelinuxEnforced: boolean;
  /** Whether its SSH server opens connections to its TCP ports for who logs in; Alpine's does not unless it is told to. */
  readonly forwardsPorts: boolean;
  /** Id and name of the machine whose engine is there already. */
  readonly owner: { readonly id: string; readonly name: string } | null;
}

/** In the order of preference where a host has several. */
export const packageManagers = ['apt-get', 'dnf', 'yum', 'apk', 'pacman', 'zypper'] as const;
export type PackageManager = (typeof packageManagers)[number];

/** Programs that the engine, or its deployment, calls. */
const wantedPrograms = ['crun', 'tar', 'gunzip', 'sha256sum', 'setsid', 'modprobe'] as const;

/** Libraries that it loads. */
const wantedLibraries = ['libnftables.so.1'] as const;
/** What the Node that we bring loads; musl's own brings its own. */
const librariesOfOurNode = ['libstdc++.so.6'] as const;

/** The oldest that the engine takes (engine/runtime/crun.ts). */
export const oldestCrun = '1.8';
/** What the engine is written for; where we bring no runtime, the host's own must be as new. */
export const oldestNode = '24';
/** `openat2`, by which the engine walks in containers' roots. */
const oldestKernel = '5.6';

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
    // A glibc host may have musl's loader beside, and the other way round: ldd is of the one that programs are made for.
    `case "$(ldd --version 2>&1)" in *musl*) musl=yes ;; *GLIBC*|*GNU*) musl= ;; *) ls /lib/ld-musl-* >/dev/null 2>&1 && musl=yes ;; esac`,
    '[ -n "$musl" ] && echo "libc musl"',
    '[ -n "$musl" ] && node=$(command -v node) && echo "node $("$node" --version) $node"',
    `for program in ${wantedPrograms.join(' ')}; do command -v "$program" >/dev/null 2>&1 && echo "program $program"; done`,
    'crun --version 2>/dev/null | sed -n "s/^crun version /crun /p"',
    `for library in ${[...wantedLibraries, ...librariesOfOurNode].join(' ')}; do ls -d /lib*/$library /usr/lib*/$library /usr/lib/*/$library 2>/dev/null | grep -q . && echo "program $library"; done`,
    '[ -S /var/run/docker.sock ] && echo "dockerd yes"',
    'grep -q "^ENABLED=yes" /etc/ufw/ufw.conf 2>/dev/null && echo "firewall ufw"',
    '{ systemctl -q is-active firewalld || rc-service -q firewalld status; } >/dev/null 2>&1 && echo "firewall firewalld"',
    '[ "$(cat /sys/fs/selinux/enforce 2>/dev/null)" = 1 ] && echo "selinux enforced"',
    'sshd -T 2>/dev/null | grep -qix -e "allowtcpforwarding no" -e "allowtcpforwarding remote" && echo "forwarding no"',
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
  const [, version = '', path = ''] = /^v(\S+) (\/.+)$/.exec(values('node')[0] ?? '') ?? [];
  const firewall = values('firewall')[0];
  return {
    distributions,
    title: values('title')[0] ?? distributions[0] ?? 'an unknown Linux',
    kernel: values('kernel')[0] ?? '',
    packageManager: packageManagers.find((manager) => values('manager').includes(manager)) ?? null,
    init: init === 'systemd' || init === 'openrc' ? init : 'none',
    libc: values('libc')[0] === 'musl' ? 'musl' : 'glibc',
    programs: new Set(values('program')),
    crunVersion: values('crun')[0] ?? null,
    node: path === '' ? null : { path, version },
    hasDockerd: values('dockerd').length > 0,
    firewall: firewall === 'ufw' || firewall === 'firewalld' ? firewall : null,
    isSelinuxEnforced: values('selinux').length > 0,
    forwardsPorts: values('forwarding').length === 0,
    owner: id === undefined || id === '' ? null : { id, name: name ?? '' },
  };
}

/** What is to be installed: what is not there, and what is there but too old. `node` only where the host must have its own. */
export function missingPrograms(facts: HostFacts): readonly string[] {
  const ofNode = facts.libc === 'musl' ? [] : librariesOfOurNode;
  const wanted = [...wantedPrograms, ...wantedLibraries, ...ofNode];
  const missing: string[] = wanted.filter((program) => !facts.programs.has(program));
  if (facts.crunVersion !== null && !isAtLeast(facts.crunVersion, oldestCrun)) missing.push('crun');
  if (facts.libc === 'musl' && (facts.node === null || !isAtLeast(facts.node.version, oldestNode)))
    missing.push('node');
  return missing;
}

/** Told before anything is changed there. */
export function refuseWhatCannotWork(facts: HostFacts): void {
  if (!isAtLeast(facts.kernel, oldestKernel))
    throw new MachineError(
      'deploy-failed',
      `${facts.title} runs Linux ${facts.kernel}; the engine needs ${oldestKernel} or newer`,
    );
}

/** Compares the numbers at the beginning of versions: `6.1.0-13-amd64` is at least `5.6`. */
function isAtLeast(version: string, oldest: string): boolean {
  const numbers = (text: string): number[] => (/^[\d.]+/.exec(text)?.[0] ?? '').split('.').map(Number);
  const have = numbers(version);
  for (const [place, needed] of numbers(oldest).entries()) {
    const number = have[place] ?? 0;
    if (number !== needed) return number > needed;
  }
  return true;
}

/** os-release(5) is shell syntax: values may stand in quotes. */
function unquote(text: string): string {
  const value = text.trim();
  return /^(["']).*\1$/.test(value) ? value.slice(1, -1) : value;
}
