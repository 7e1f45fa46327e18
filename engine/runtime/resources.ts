import { invalid } from '../model/errors.ts';
import type { BlkioLimit, ContainerSettings, DeviceGrant, HostFacts, ResourceLimits } from './container-settings.ts';
import type { SpecDevice, SpecDeviceRule, SpecRate, SpecResources } from './oci.ts';

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
  const blockIo = blockIoOf(resources);
  const grants = devices.flatMap(({ type, major, minor, access }: DeviceGrant) => {
    const known = [...access].filter((letter) => 'rwm'.includes(letter)).join('');
    return known === '' ? [] : [allow(type, major, minor, known)];
  });
  return {
    devices: security.isPrivileged
      ? [{ allow: true, access: 'rwm' }]
      : [...deviceRules, ...grants, ...settings.deviceRules.map(parseDeviceRule)],
    ...(Object.keys(memory).length === 0 ? {} : { memory }),
    ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
    ...(resources.pidsLimit === null || resources.pidsLimit <= 0 ? {} : { pids: { limit: resources.pidsLimit } }),
    ...(Object.keys(blockIo).length === 0 ? {} : { blockIO: blockIo }),
  };
}

function memoryOf(limits: ResourceLimits, host: HostFacts): NonNullable<SpecResources['memory']> {
  const { memoryBytes, memoryAndSwapBytes, memoryReservationBytes } = limits;
  const swap = memoryAndSwapBytes ?? (memoryBytes === null ? null : memoryBytes * 2);
  return {
    ...(memoryBytes === null ? {} : { limit: memoryBytes }),
    ...(memoryReservationBytes === null ? {} : { reservation: memoryReservationBytes }),
    ...(swap === null || !host.controls.hasSwap ? {} : { swap }),
    ...(limits.memorySwappiness === null ? {} : { swappiness: limits.memorySwappiness }),
    // cgroups v2 has no such switch.
    ...(limits.isOomKillDisabled && host.cgroupVersion === 1 ? { disableOOMKiller: true } : {}),
  };
}

/** The kernel would silently take the nearest that it can. */
function assertShares(shares: number | null): void {
  if (shares !== null && shares < 2) throw invalid('the minimum allowed cpu-shares is 2');
  if (shares !== null && shares > 262_144) throw invalid('the maximum allowed cpu-shares is 262144');
}

/** `--cpus` is a quota in a period of 100 ms, the kernel's own. */
const usualPeriodMicros = 100_000;

/** `quota` null: not limited. */
export function cpuQuota(limits: ResourceLimits): { readonly quota: number | null; readonly period: number } {
  const { nanoCpus, cpuQuotaMicros: quota, cpuPeriodMicros: period } = limits;
  if (nanoCpus !== null) return { quota: Math.round((nanoCpus * usualPeriodMicros) / 1e9), period: usualPeriodMicros };
  return { quota: quota !== null && quota > 0 ? quota : null, period: period ?? usualPeriodMicros };
}

function cpuOf(limits: ResourceLimits): NonNullable<SpecResources['cpu']> {
  const { nanoCpus, cpuShares, cpuQuotaMicros: quota, cpuPeriodMicros: period } = limits;
  assertShares(cpuShares);
  const time = cpuQuota(limits);
  if (nanoCpus !== null && (quota !== null || period !== null))
    throw invalid('Conflicting options: Nano CPUs and CPU Period or Quota cannot both be set.');
  return {
    ...(cpuShares === null ? {} : { shares: cpuShares }),
    // A negative quota is none, which crun 1.8 cannot say to cgroups v1.
    ...(time.quota === null ? {} : { quota: time.quota }),
    ...(time.quota === null && period === null ? {} : { period: time.period }),
    ...(limits.cpuRealtimeRuntimeMicros === null ? {} : { realtimeRuntime: limits.cpuRealtimeRuntimeMicros }),
    ...(limits.cpuRealtimePeriodMicros === null ? {} : { realtimePeriod: limits.cpuRealtimePeriodMicros }),
    ...(limits.cpusetCpus === null ? {} : { cpus: limits.cpusetCpus }),
    ...(limits.cpusetMems === null ? {} : { mems: limits.cpusetMems }),
  };
}

function blockIoOf(limits: ResourceLimits): NonNullable<SpecResources['blockIO']> {
  const rates = (list: readonly BlkioLimit[]): readonly SpecRate[] =>
    list.map(({ major, minor, value }) => ({ major, minor, rate: value }));
  const given = {
    weightDevice: limits.blkioWeightDevices.map(({ major, minor, value }) => ({ major, minor, weight: value })),
    throttleReadBpsDevice: rates(limits.blkioReadBps),
    throttleWriteBpsDevice: rates(limits.blkioWriteBps),
    throttleReadIOPSDevice: rates(limits.blkioReadIops),
    throttleWriteIOPSDevice: rates(limits.blkioWriteIops),
  };
  return {
    ...(limits.blkioWeight === null ? {} : { weight: limits.blkioWeight }),
    ...Object.fromEntries(Object.entries(given).filter(([, list]) => list.length > 0)),
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
