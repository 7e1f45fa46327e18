/** From the kernel's counters to the API's (source: Engine API, ContainerStatsResponse; kernel's cgroup-v1 and cgroup-v2 documents). */
import type { BlkioEntry, BlkioStats, CpuStats, NetworkCounters, StatsSample } from '../../api/stats.ts';
import { type CgroupFiles, numberOf, pairsOf } from './cgroup-files.ts';

const nanosPerTick = 10_000_000;

export type CgroupUsage = Pick<StatsSample, 'memory_stats' | 'pids_stats' | 'blkio_stats'> & { readonly cpu: CpuStats };

/** `hostMemoryBytes`: what a container without a limit has. */
export function cgroupUsage(files: CgroupFiles, hostMemoryBytes: number): CgroupUsage {
  const pidsLimit = numberOf(files.read('pids', 'pids.max'));
  const current = numberOf(files.read('pids', 'pids.current'));
  return {
    cpu: files.version === 2 ? cpuOfV2(files) : cpuOfV1(files),
    memory_stats: files.version === 2 ? memoryOfV2(files, hostMemoryBytes) : memoryOfV1(files, hostMemoryBytes),
    pids_stats: { ...(current === null ? {} : { current }), ...(pidsLimit === null ? {} : { limit: pidsLimit }) },
    blkio_stats: files.version === 2 ? blkioOfV2(files) : blkioOfV1(files),
  };
}

function cpuOfV1(files: CgroupFiles): CpuStats {
  const ticks = pairsOf(files.read('cpuacct', 'cpuacct.stat'));
  const perCpu = files.read('cpuacct', 'cpuacct.usage_percpu');
  const throttling = pairsOf(files.read('cpu', 'cpu.stat'));
  return {
    cpu_usage: {
      total_usage: numberOf(files.read('cpuacct', 'cpuacct.usage')) ?? 0,
      ...(perCpu === null ? {} : { percpu_usage: perCpu.trim().split(/\s+/).map(Number) }),
      usage_in_kernelmode: (ticks['system'] ?? 0) * nanosPerTick,
      usage_in_usermode: (ticks['user'] ?? 0) * nanosPerTick,
    },
    throttling_data: {
      periods: throttling['nr_periods'] ?? 0,
      throttled_periods: throttling['nr_throttled'] ?? 0,
      throttled_time: throttling['throttled_time'] ?? 0,
    },
  };
}

/** Without `percpu_usage`: version 2 does not count it. */
function cpuOfV2(files: CgroupFiles): CpuStats {
  const stat = pairsOf(files.read('cpu', 'cpu.stat'));
  return {
    cpu_usage: {
      total_usage: (stat['usage_usec'] ?? 0) * 1000,
      usage_in_kernelmode: (stat['system_usec'] ?? 0) * 1000,
      usage_in_usermode: (stat['user_usec'] ?? 0) * 1000,
    },
    throttling_data: {
      periods: stat['nr_periods'] ?? 0,
      throttled_periods: stat['nr_throttled'] ?? 0,
      throttled_time: (stat['throttled_usec'] ?? 0) * 1000,
    },
  };
}

function memoryOfV1(files: CgroupFiles, hostMemoryBytes: number): StatsSample['memory_stats'] {
  const failures = numberOf(files.read('memory', 'memory.failcnt'));
  return {
    usage: numberOf(files.read('memory', 'memory.usage_in_bytes')) ?? 0,
    max_usage: numberOf(files.read('memory', 'memory.max_usage_in_bytes')) ?? 0,
    stats: pairsOf(files.read('memory', 'memory.stat')),
    ...(failures === null || failures === 0 ? {} : { failcnt: failures }),
    limit: clamped(numberOf(files.read('memory', 'memory.limit_in_bytes')), hostMemoryBytes),
  };
}

/** Without `max_usage` and `failcnt`, which version 2 does not have. */
function memoryOfV2(files: CgroupFiles, hostMemoryBytes: number): StatsSample['memory_stats'] {
  return {
    usage: numberOf(files.read('memory', 'memory.current')) ?? 0,
    stats: pairsOf(files.read('memory', 'memory.stat')),
    limit: clamped(numberOf(files.read('memory', 'memory.max')), hostMemoryBytes),
  };
}

function clamped(limit: number | null, hostMemoryBytes: number): number {
  return limit === null ? hostMemoryBytes : Math.min(limit, hostMemoryBytes);
}

function blkioOfV1(files: CgroupFiles): BlkioStats {
  const entries = (file: string): readonly BlkioEntry[] =>
    (files.read('blkio', file) ?? '').split('\n').flatMap((line) => {
      const match = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line);
      if (match === null) return [];
      const [, major, minor, op = '', value] = match;
      return [{ major: Number(major), minor: Number(minor), op: op.toLowerCase(), value: Number(value) }];
    });
  return blkio(entries('blkio.throttle.io_service_bytes_recursive'), entries('blkio.throttle.io_serviced_recursive'));
}

function blkioOfV2(files: CgroupFiles): BlkioStats {
  const lines = (files.read('io', 'io.stat') ?? '').split('\n');
  const entries = (wanted: Readonly<Record<string, string>>): readonly BlkioEntry[] =>
    lines.flatMap((line) => {
      const [device = '', ...pairs] = line.split(' ');
      const [major, minor] = device.split(':').map(Number);
      if (major === undefined || minor === undefined) return [];
      return pairs.flatMap((pair) => {
        const [name = '', value] = pair.split('=');
        const op = wanted[name];
        return op === undefined ? [] : [{ major, minor, op, value: Number(value) }];
      });
    });
  return blkio(entries({ rbytes: 'read', wbytes: 'write' }), entries({ rios: 'read', wios: 'write' }));
}

/** The other lists are of kernels before 5.0; clients find them empty. */
function blkio(bytes: readonly BlkioEntry[], operations: readonly BlkioEntry[]): BlkioStats {
  return { ...emptyBlkio([]), io_service_bytes_recursive: bytes, io_serviced_recursive: operations };
}

export function emptyBlkio(list: readonly BlkioEntry[] | null): BlkioStats {
  return {
    io_service_bytes_recursive: list,
    io_serviced_recursive: list,
    io_queue_recursive: list,
    io_service_time_recursive: list,
    io_wait_time_recursive: list,
    io_merged_recursive: list,
    io_time_recursive: list,
    sectors_recursive: list,
  };
}

/** Source: proc_stat(5): the first line's user to steal, in ticks; a line `cpuN` for each processor that is online. */
export function hostCpu(procStat: string): { readonly system_cpu_usage: number; readonly online_cpus: number } {
  const [, ...ticks] = (/^cpu .*$/m.exec(procStat)?.[0] ?? '').trim().split(/\s+/);
  const total = ticks.slice(0, 8).reduce((sum, count) => sum + Number(count), 0);
  return { system_cpu_usage: total * nanosPerTick, online_cpus: procStat.match(/^cpu\d+ /gm)?.length ?? 0 };
}

/** Source: /proc/<pid>/net/dev, of the network that the process is in; without lo. */
export function networkCounters(netDev: string): Readonly<Record<string, NetworkCounters>> {
  const counters: Record<string, NetworkCounters> = {};
  for (const line of netDev.split('\n').slice(2)) {
    const [name = '', counts = ''] = line.split(/:(.*)/);
    const numbers = counts.trim().split(/\s+/).map(Number);
    if (name.trim() === '' || name.trim() === 'lo') continue;
    const [rxBytes = 0, rxPackets = 0, rxErrors = 0, rxDropped = 0] = numbers;
    const [txBytes = 0, txPackets = 0, txErrors = 0, txDropped = 0] = numbers.slice(8);
    counters[name.trim()] = {
      rx_bytes: rxBytes,
      rx_packets: rxPackets,
      rx_errors: rxErrors,
      rx_dropped: rxDropped,
      tx_bytes: txBytes,
      tx_packets: txPackets,
      tx_errors: txErrors,
      tx_dropped: txDropped,
    };
  }
  return counters;
}
