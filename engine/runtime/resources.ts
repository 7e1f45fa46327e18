import { invalid } from '../model/errors.ts';
import type { ContainerSettings, DeviceGrant, HostFacts, ResourceLimits } from './container-settings.ts';
import type { SpecDevice, SpecDeviceRule, SpecResources } from './oci.ts';

/** crun makes null, zero, full, random, urandom, tty, console and ptmx itself (source: OCI config-linux.md, default devices). */
export function specDevices(settings: ContainerSettings, host: HostFacts): readonly SpecDevice[] {
  const grants = settings.security.isPrivileged ? [...host.devices, ...settings.devices] : settings.devices;
  return grants.map(({ path, type, major, minor, fileMode, uid, gid }) => ({
    path,
    type,
    major,
    minor,
    fileMode,
    uid,
    gid,
  }));
}

const allow = (type: 'c' | 'b', major: number | null, minor: number | null, access: string): SpecDeviceRule => ({
  allow: true,
  type,
  ...(major === null ? {} : { major }),
  ...(minor === null ? {} : { minor }),
  access,
});

/** Any node may be made; only these may be used: null, zero, full, random, urandom, tty, console, ptmx, the pts. */
const deviceRules: readonly SpecDeviceRule[] = [
  { allow: false, access: 'rwm' },
  allow('c', null, null, 'm'),
  allow('b', null, null, 'm'),
  allow('c', 1, 3, 'rwm'),
  allow('c', 1, 5, 'rwm'),
  allow('c', 1, 7, 'rwm'),
  allow('c', 1, 8, 'rwm'),
  allow('c', 1, 9, 'rwm'),
  allow('c', 5, 0, 'rwm'),
  allow('c', 5, 1, 'rwm'),
  allow('c', 5, 2, 'rwm'),
  allow('c', 136, null, 'rwm'),
];

export function specResources(settings: ContainerSettings, host: HostFacts): SpecResources {
  const { resources, security, devices } = settings;
  const memory = memoryOf(resources, host);
  const cpu = cpuOf(resources);
  const grants = devices.map(({ type, major, minor, access }: DeviceGrant) => allow(type, major, minor, access));
  return {
    devices: security.isPrivileged
      ? [{ allow: true, access: 'rwm' }]
      : [...deviceRules, ...grants, ...settings.deviceRules.map(parseDeviceRule)],
    ...(Object.keys(memory).length === 0 ? {} : { memory }),
    ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
    ...(resources.pidsLimit === null || resources.pidsLimit <= 0 ? {} : { pids: { limit: resources.pidsLimit } }),
    ...(resources.blkioWeight === null ? {} : { blockIO: { weight: resources.blkioWeight } }),
  };
}

function memoryOf(limits: ResourceLimits, host: HostFacts): NonNullable<SpecResources['memory']> {
  const { memoryBytes, memoryAndSwapBytes, memoryReservationBytes } = limits;
  const swap = memoryAndSwapBytes ?? (memoryBytes === null ? null : memoryBytes * 2);
  return {
    ...(memoryBytes === null ? {} : { limit: memoryBytes }),
    ...(memoryReservationBytes === null ? {} : { reservation: memoryReservationBytes }),
    ...(swap === null || !host.hasSwapLimit ? {} : { swap }),
    // cgroups v2 has no such switch.
    ...(limits.isOomKillDisabled && host.cgroupVersion === 1 ? { disableOOMKiller: true } : {}),
  };
}

/** `--cpus` is a quota in a period of 100 ms. */
const cpuPeriodMicros = 100_000;

function cpuOf(limits: ResourceLimits): NonNullable<SpecResources['cpu']> {
  const { nanoCpus, cpuShares, cpuQuotaMicros: quota, cpuPeriodMicros: period } = limits;
  if (nanoCpus !== null && (quota !== null || period !== null))
    throw invalid('Conflicting options: Nano CPUs and CPU Period or Quota cannot both be set.');
  return {
    ...(cpuShares === null ? {} : { shares: cpuShares }),
    ...(nanoCpus === null ? {} : { quota: Math.round((nanoCpus * cpuPeriodMicros) / 1e9), period: cpuPeriodMicros }),
    ...(quota === null ? {} : { quota }),
    ...(period === null ? {} : { period }),
    ...(limits.cpusetCpus === null ? {} : { cpus: limits.cpusetCpus }),
    ...(limits.cpusetMems === null ? {} : { mems: limits.cpusetMems }),
  };
}

/** `c 42:* rmw` */
function parseDeviceRule(text: string): SpecDeviceRule {
  const match = /^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(text);
  if (match === null) throw invalid(`invalid device cgroup rule format: '${text}'`);
  const [, type = 'a', major = '*', minor = '*', access = 'rwm'] = match;
  return {
    allow: true,
    type,
    ...(major === '*' ? {} : { major: Number(major) }),
    ...(minor === '*' ? {} : { minor: Number(minor) }),
    access,
  };
}
