import { invalid } from '../model/errors.ts';
import type { ContainerMount, ContainerSettings, HostFacts } from './container-settings.ts';
import type { SpecMount } from './oci.ts';

const defaultShmBytes = 64 * 1024 * 1024;

/** Docker's own mounts, those of the user in their places or after them, parents before what lies in them. */
export function specMounts(settings: ContainerSettings, host: HostFacts): readonly SpecMount[] {
  const given = settings.mounts.map((mount) => specMount(mount, host));
  const taken = new Set(given.map(({ destination }) => destination));
  const depth = ({ destination }: SpecMount): number => destination.split('/').filter((part) => part !== '').length;
  return [
    ...defaultMounts(settings).filter(({ destination }) => !taken.has(destination)),
    ...given.sort((left, right) => depth(left) - depth(right)),
  ];
}

function defaultMounts(settings: ContainerSettings): readonly SpecMount[] {
  const { isPrivileged, hasWritableCgroups } = settings.security;
  const access = isPrivileged ? 'rw' : 'ro';
  const safe = ['nosuid', 'noexec', 'nodev'];
  const sharedMemory = settings.namespaces.ipc === 'host' ? { folder: '/dev/shm' } : settings.sharedMemory;
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: safe },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...safe, access] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: [isPrivileged || hasWritableCgroups ? 'rw' : 'ro', ...safe],
    },
    // Of the namespace, whosever it is.
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: safe },
    ...sharedMemoryMount(sharedMemory, settings.shmSizeBytes ?? defaultShmBytes),
  ];
}

function sharedMemoryMount(from: ContainerSettings['sharedMemory'], sizeBytes: number): readonly SpecMount[] {
  if (from === 'none') return [];
  const destination = '/dev/shm';
  const safe = ['nosuid', 'noexec', 'nodev'];
  // Newer versions of crun take away from a bind what is not said.
  if (from !== null)
    return [{ destination, type: 'bind', source: from.folder, options: ['rbind', 'rprivate', ...safe] }];
  return [{ destination, type: 'tmpfs', source: 'shm', options: [...safe, 'mode=1777', `size=${sizeBytes}`] }];
}

function specMount(mount: ContainerMount, host: HostFacts): SpecMount {
  if (mount.kind === 'tmpfs') {
    for (const option of mount.options) assertTmpfsOption(option);
    // The opposite of a default takes it away: the runtime would keep both.
    const defaults = ['noexec', 'nosuid', 'nodev'].filter((word) => !mount.options.includes(word.slice(2)));
    const options = [...defaults, ...mount.options];
    return { destination: mount.target, type: 'tmpfs', source: 'tmpfs', options };
  }
  const { target: destination, source } = mount;
  const access = accessOption(mount.access, host);
  if (mount.isRecursive) return { destination, type: 'bind', source, options: ['rbind', access, mount.propagation] };
  // Nothing is below it; and crun takes any word that says "recursive" for the bind's too.
  const options = ['bind', access === 'rro' ? 'ro' : access, mount.propagation.replace(/^r/, '')];
  return { destination, type: 'bind', source, options };
}

/** What docker lets through to the kernel. */
const tmpfsFlags = new Set(
  `ro rw exec noexec suid nosuid dev nodev sync async atime noatime diratime nodiratime relatime norelatime strictatime
   nostrictatime mand nomand dirsync bind rbind unbindable runbindable private rprivate shared rshared slave rslave
   defaults remount`.split(/\s+/),
);
const tmpfsKeys = new Set(['size', 'mode', 'uid', 'gid', 'nr_inodes', 'nr_blocks', 'mpol']);

function assertTmpfsOption(option: string): void {
  const at = option.indexOf('=');
  const isKnown = at === -1 ? tmpfsFlags.has(option) : tmpfsKeys.has(option.slice(0, at));
  if (!isKnown) throw invalid(`invalid tmpfs option ${JSON.stringify(at === -1 ? option : option.slice(0, at))}`);
}

function accessOption(access: Extract<ContainerMount, { kind: 'bind' }>['access'], { kernel }: HostFacts): string {
  if (access === 'read-write') return 'rw';
  const [major, minor] = kernel;
  // mount_setattr came with 5.12; before it only the topmost mount can be made read-only.
  const canRecurse = major > 5 || (major === 5 && minor >= 12);
  return access === 'read-only-recursive' && canRecurse ? 'rro' : 'ro';
}
