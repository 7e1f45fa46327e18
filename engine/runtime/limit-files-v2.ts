import type { BlkioLimit, ResourceLimits } from './container-settings.ts';
import { cpuQuota } from './resources.ts';
import { deviceLines, type LimitFile } from './limit-file.ts';

/** Limits as files of cgroups v2 (source: the kernel's admin-guide/cgroup-v2; conversions: crun.1, "cgroup v2"). */
export function limitFilesV2(of: {
  readonly cgroup: string;
  readonly limits: ResourceLimits;
  readonly other: ResourceLimits;
  has(file: string): boolean;
}): readonly LimitFile[] {
  const { cgroup, limits, other, has } = of;
  const file = (name: string, value: string | number | null): LimitFile => ({
    file: `${cgroup}/${name}`,
    text: String(value ?? 'max'),
  });
  const { quota, period } = cpuQuota(limits);
  return [
    file('memory.max', limits.memoryBytes),
    ...(has(`${cgroup}/memory.swap.max`) ? [file('memory.swap.max', swapAlone(limits))] : []),
    file('memory.low', limits.memoryReservationBytes ?? 0),
    file('cpu.weight', limits.cpuShares === null ? 100 : weightOfShares(limits.cpuShares)),
    file('cpu.max', `${quota ?? 'max'} ${period}`),
    ...(limits.cpusetCpus === null ? [] : [file('cpuset.cpus', limits.cpusetCpus)]),
    ...(limits.cpusetMems === null ? [] : [file('cpuset.mems', limits.cpusetMems)]),
    file('pids.max', limits.pidsLimit),
    ...weightFile(of).map(({ name, value }) => file(name, value)),
    ...ioLines(limits, other).map((line) => file('io.max', line)),
  ];
}

/** Here swap is counted by itself. */
function swapAlone({ memoryBytes, memoryAndSwapBytes: both }: ResourceLimits): number | null {
  if (memoryBytes === null || both === -1) return null;
  return both === null ? memoryBytes : both - memoryBytes;
}

/** 2..262144 to 1..10000. */
function weightOfShares(shares: number): number {
  return 1 + Math.floor(((shares - 2) * 9999) / 262_142);
}

/** BFQ takes docker's numbers; the cost model has 1..10000 for 10..1000. */
function weightFile(of: {
  readonly cgroup: string;
  readonly limits: ResourceLimits;
  has(file: string): boolean;
}): readonly { readonly name: string; readonly value: number }[] {
  const weight = of.limits.blkioWeight;
  if (weight === null) return [];
  if (of.has(`${of.cgroup}/io.bfq.weight`)) return [{ name: 'io.bfq.weight', value: weight }];
  return [{ name: 'io.weight', value: 1 + Math.floor(((weight - 10) * 9999) / 990) }];
}

const rates = [
  ['rbps', 'blkioReadBps'],
  ['wbps', 'blkioWriteBps'],
  ['riops', 'blkioReadIops'],
  ['wiops', 'blkioWriteIops'],
] as const;

/** `8:0 rbps=1048576`: what a line does not name stays. */
function ioLines(limits: ResourceLimits, other: ResourceLimits): readonly string[] {
  return rates.flatMap(([key, field]: readonly [string, keyof ResourceLimits & (typeof rates)[number][1]]) => {
    const given: readonly BlkioLimit[] = limits[field];
    return deviceLines(given, other[field], 'max').map((line) => line.replace(' ', ` ${key}=`));
  });
}
