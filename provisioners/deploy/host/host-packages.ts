import type { HostFacts, PackageManager } from './host-facts.ts';

const common = { gunzip: 'gzip', sha256sum: 'coreutils', setsid: 'util-linux', modprobe: 'kmod' };

/** Which package holds a program or library, where it is not called like it. */
const packageOf: Readonly<Record<PackageManager, Readonly<Record<string, string>>>> = {
  'apt-get': { ...common, 'libnftables.so.1': 'libnftables1' },
  dnf: { ...common, 'libnftables.so.1': 'nftables' },
  yum: { ...common, 'libnftables.so.1': 'nftables' },
  apk: { ...common, 'libnftables.so.1': 'nftables' },
  pacman: { ...common, 'libnftables.so.1': 'nftables' },
  zypper: { ...common, 'libnftables.so.1': 'libnftables1' },
};

/** The command that installs what holds `programs`; null where the host has no package manager that is known here. */
export function installCommand(facts: Pick<HostFacts, 'packageManager'>, programs: readonly string[]): string | null {
  const manager = facts.packageManager;
  if (manager === null) return null;
  const packages = [...new Set(programs.map((program) => packageOf[manager][program] ?? program))].join(' ');
  switch (manager) {
    case 'apt-get': {
      // Ubuntu's own upgrades hold dpkg's lock for minutes after a boot.
      const apt = 'DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300';
      return `${apt} update && ${apt} install -y --no-install-recommends ${packages}`;
    }
    case 'dnf':
      return `dnf install -y --setopt=install_weak_deps=False ${packages}`;
    case 'yum':
      return `yum install -y ${packages}`;
    case 'apk':
      return `apk add --no-cache ${packages}`;
    case 'pacman':
      return `pacman -Sy --noconfirm --needed ${packages}`;
    case 'zypper':
      return `zypper --non-interactive install --no-recommends ${packages}`;
  }
}
