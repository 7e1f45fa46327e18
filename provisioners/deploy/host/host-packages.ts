import type { HostFacts, PackageManager } from './host-facts.ts';
import { oldestCrun, oldestNode } from './host-facts.ts';

/** How one package manager is told to install, without questions, and nothing but what is asked for. */
interface PackageRow {
  /** Which package holds a program or library, where it is not called like it. */
  readonly names: Readonly<Record<string, string>>;
  /** `packages` is never empty, and its words need no quotes but those that `names` has. */
  install(packages: string): string;
  /** What is usually wrong when it cannot, and what to do about that on such a host. */
  readonly advice: string;
}

const common = { gunzip: 'gzip', sha256sum: 'coreutils', setsid: 'util-linux', modprobe: 'kmod' };

/** Ubuntu's own upgrades hold dpkg's lock for minutes after a boot. */
const apt = 'DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300';

const rows: Readonly<Record<PackageManager, PackageRow>> = {
  'apt-get': {
    names: { ...common, 'libnftables.so.1': 'libnftables1', 'libstdc++.so.6': 'libstdc++6' },
    install: (packages) => `${apt} update && ${apt} install -y --no-install-recommends ${packages}`,
    advice: 'crun is in Debian 12, and in the section "universe" of Ubuntu 24.04, and newer',
  },
  dnf: {
    names: { ...common, 'libnftables.so.1': 'nftables', 'libstdc++.so.6': 'libstdc++' },
    install: (packages) => `dnf install -y --setopt=install_weak_deps=False ${packages}`,
    advice: 'crun is in Fedora, and in the repository "appstream" of RHEL 9 and what is made of it',
  },
  yum: {
    names: { ...common, 'libnftables.so.1': 'nftables', 'libstdc++.so.6': 'libstdc++' },
    install: (packages) => `yum install -y ${packages}`,
    advice: 'crun is in the repository "appstream" of RHEL 9 and what is made of it',
  },
  apk: {
    // By what they hold: which package the library is in differs between releases. Busybox has the rest.
    names: { ...common, 'libnftables.so.1': 'so:libnftables.so.1', node: `'nodejs>=${oldestNode}'` },
    install: (packages) => `apk add --no-cache ${packages}`,
    advice:
      `crun is in the repository "community" (a line of /etc/apk/repositories, often commented out), ` +
      `Node ${oldestNode} in Alpine 3.23 and newer`,
  },
  pacman: {
    names: { ...common, 'libnftables.so.1': 'nftables', 'libstdc++.so.6': 'gcc-libs' },
    // Without -y: new lists and one new package on an old system is what Arch calls a partial upgrade, which may break it.
    install: (packages) => `pacman -S --noconfirm --needed ${packages}`,
    advice: 'when its package lists are older than what its mirrors have, upgrade it first: pacman -Syu',
  },
  zypper: {
    names: { ...common, 'libnftables.so.1': 'libnftables1', 'libstdc++.so.6': 'libstdc++6' },
    install: (packages) => `zypper --non-interactive install --no-recommends ${packages}`,
    advice: 'crun is in openSUSE Tumbleweed and Leap 15.5 and newer',
  },
};

/** Where every host can have the runtime from, whatever its packages are. */
const anyCrun = `a static crun ${oldestCrun} or newer of its project's releases does as well, as /usr/local/bin/crun`;

/** The command that installs what holds `programs`; null where the host has no package manager that is known here. */
export function installCommand(facts: Pick<HostFacts, 'packageManager'>, programs: readonly string[]): string | null {
  if (facts.packageManager === null) return null;
  const { names, install } = rows[facts.packageManager];
  return install([...new Set(programs.map((program) => names[program] ?? program))].join(' '));
}

/** What a person can do where `programs` could not be had. */
export function installAdvice(facts: Pick<HostFacts, 'packageManager'>, programs: readonly string[]): string {
  const advice = facts.packageManager === null ? [] : [rows[facts.packageManager].advice];
  return [...advice, ...(programs.includes('crun') ? [anyCrun] : [])].join('; ');
}
