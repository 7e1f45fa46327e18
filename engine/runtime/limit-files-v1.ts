import type { HostControls, ResourceLimits } from './container-settings.ts';
import { cpuQuota } from './resources.ts';
import { deviceLines, type LimitFile } from './limit-file.ts';

/** Limits as files of cgroups v1 (source: the kernel's admin-guide/cgroup-v1). `other`: what they take the place of. */
export function limitFilesV1(of: {
  readonly cgroup: string;
  readonly limits: ResourceLimits;
  readonly other: ResourceLimits;
  readonly controls: HostControls;
  has(file: string): boolean;
}): readonly LimitFile[] {
  const { cgroup, limits, other, controls, has } = of;
  const file = (controller: string, name: string, value: string | number): LimitFile => ({
    file: `${controller}${cgroup}/${controller}.${name}`,
    text: String(value),
  });
  const { quota, period } = cpuQuota(limits);
  const lines = (name: string, field: 'blkioReadBps' | 'blkioWriteBps' | 'blkioReadIops' | 'blkioWriteIops') =>
    deviceLines(limits[field], other[field], 0).map((line) => file('blkio', `throttle.${name}_device`, line));
  return [
    ...memoryFiles(of).map(({ name, value }) => file('memory', name, value)),
    file('memory', 'soft_limit_in_bytes', limits.memoryReservationBytes ?? -1),
    ...(limits.memorySwappiness === null ? [] : [file('memory', 'swappiness', limits.memorySwappiness)]),
    ...(controls.hasOomKillSwitch ? [file('memory', 'oom_control', limits.isOomKillDisabled ? 1 : 0)] : []),
    file('cpu', 'shares', limits.cpuShares ?? 1024),
    file('cpu', 'cfs_period_us', period),
    file('cpu', 'cfs_quota_us', quota ?? -1),
    ...(limits.cpuRealtimePeriodMicros === null ? [] : [file('cpu', 'rt_period_us', limits.cpuRealtimePeriodMicros)]),
    ...(limits.cpuRealtimeRuntimeMicros === null
      ? []
      : [file('cpu', 'rt_runtime_us', limits.cpuRealtimeRuntimeMicros)]),
    ...(limits.cpusetCpus === null ? [] : [file('cpuset', 'cpus', limits.cpusetCpus)]),
    ...(limits.cpusetMems === null ? [] : [file('cpuset', 'mems', limits.cpusetMems)]),
    file('pids', 'max', limits.pidsLimit ?? 'max'),
    ...(limits.blkioWeight === null || !has('blkio/blkio.weight') ? [] : [file('blkio', 'weight', limits.blkioWeight)]),
    ...lines('read_bps', 'blkioReadBps'),
    ...lines('write_bps', 'blkioWriteBps'),
    ...lines('read_iops', 'blkioReadIops'),
    ...lines('write_iops', 'blkioWriteIops'),
  ];
}

/** The kernel wants memory never above memory and swap: which goes first depends on where they come from. */
function memoryFiles(of: {
  readonly limits: ResourceLimits;
  readonly other: ResourceLimits;
  readonly controls: HostControls;
}): readonly { readonly name: string; readonly value: number }[] {
  const { limits, other, controls } = of;
  const memory = { name: 'limit_in_bytes', value: limits.memoryBytes ?? -1 };
  if (!controls.hasSwap) return [memory];
  const both = { name: 'memsw.limit_in_bytes', value: memoryAndSwap(limits) };
  const isEnough = both.value === -1 || (other.memoryBytes !== null && both.value >= other.memoryBytes);
  return isEnough ? [both, memory] : [memory, both];
}

function memoryAndSwap({ memoryBytes, memoryAndSwapBytes }: ResourceLimits): number {
  return memoryAndSwapBytes ?? (memoryBytes === null ? -1 : memoryBytes * 2);
}
