import { describe, expect, it } from 'vitest';
import type { CgroupFiles } from './cgroup-files.ts';
import { cgroupUsage, hostCpu, networkCounters } from './usage.ts';

function files(version: 1 | 2, texts: Readonly<Record<string, string>>): CgroupFiles {
  return { version, read: (_, file) => texts[file] ?? null };
}

const hostMemory = 8_000_000_000;

describe('the usage of a cgroup', () => {
  it('of version 1, with its own words', () => {
    const usage = cgroupUsage(
      files(1, {
        'cpuacct.usage': '30769572\n',
        'cpuacct.usage_percpu': '18747265 12022307 \n',
        'cpuacct.stat': 'user 1\nsystem 2\n',
        'cpu.stat': 'nr_periods 4\nnr_throttled 3\nthrottled_time 9\n',
        'memory.usage_in_bytes': '892928\n',
        'memory.max_usage_in_bytes': '4083712\n',
        'memory.failcnt': '7\n',
        'memory.limit_in_bytes': '67108864\n',
        'memory.stat': 'cache 1\ntotal_inactive_file 5\n',
        'pids.current': '2\n',
        'pids.max': 'max\n',
        'blkio.throttle.io_service_bytes_recursive': '8:0 Read 10\n8:0 Write 20\nTotal 30\n',
      }),
      hostMemory,
    );
    expect(usage.cpu).toEqual({
      cpu_usage: {
        total_usage: 30_769_572,
        percpu_usage: [18_747_265, 12_022_307],
        usage_in_kernelmode: 20_000_000,
        usage_in_usermode: 10_000_000,
      },
      throttling_data: { periods: 4, throttled_periods: 3, throttled_time: 9 },
    });
    expect(usage.memory_stats).toEqual({
      usage: 892_928,
      max_usage: 4_083_712,
      failcnt: 7,
      stats: { cache: 1, total_inactive_file: 5 },
      limit: 67_108_864,
    });
    expect(usage.pids_stats).toEqual({ current: 2 });
    expect(usage.blkio_stats?.io_service_bytes_recursive).toEqual([
      { major: 8, minor: 0, op: 'read', value: 10 },
      { major: 8, minor: 0, op: 'write', value: 20 },
    ]);
    expect(usage.blkio_stats?.sectors_recursive).toEqual([]);
  });

  it('of version 2, without what that does not count', () => {
    const usage = cgroupUsage(
      files(2, {
        'cpu.stat': 'usage_usec 30\nuser_usec 10\nsystem_usec 20\nnr_periods 1\nnr_throttled 2\nthrottled_usec 3\n',
        'memory.current': '1000\n',
        'memory.max': 'max\n',
        'memory.stat': 'anon 1\ninactive_file 5\n',
        'pids.current': '1\n',
        'pids.max': '100\n',
        'io.stat': '8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n',
      }),
      hostMemory,
    );
    expect(usage.cpu).toEqual({
      cpu_usage: { total_usage: 30_000, usage_in_kernelmode: 20_000, usage_in_usermode: 10_000 },
      throttling_data: { periods: 1, throttled_periods: 2, throttled_time: 3000 },
    });
    expect(usage.memory_stats).toEqual({ usage: 1000, stats: { anon: 1, inactive_file: 5 }, limit: hostMemory });
    expect(usage.pids_stats).toEqual({ current: 1, limit: 100 });
    expect(usage.blkio_stats?.io_serviced_recursive).toEqual([
      { major: 8, minor: 0, op: 'read', value: 1 },
      { major: 8, minor: 0, op: 'write', value: 2 },
    ]);
  });

  it('has no more memory than the host, whatever limit the kernel names', () => {
    const usage = cgroupUsage(files(1, { 'memory.limit_in_bytes': '9223372036854771712\n' }), hostMemory);
    expect(usage.memory_stats.limit).toBe(hostMemory);
  });
});

it('the processors of the host: time without that of guests, and how many are online', () => {
  const text = 'cpu  1 2 3 4 5 6 7 8 100 100\ncpu0 1 1 1 1 1 1 1 1 0 0\ncpu2 0 0 0 0 0 0 0 0 0 0\nintr 5\n';
  expect(hostCpu(text)).toEqual({ system_cpu_usage: 360_000_000, online_cpus: 2 });
});

it('interfaces but for lo, however close the numbers stand', () => {
  const text = [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
    '    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0',
    '  eth0:1234567890  5    1    2    0     0          0         0      126       3    4    6    0     0       0          0',
    '',
  ].join('\n');
  expect(networkCounters(text)).toEqual({
    eth0: {
      rx_bytes: 1_234_567_890,
      rx_packets: 5,
      rx_errors: 1,
      rx_dropped: 2,
      tx_bytes: 126,
      tx_packets: 3,
      tx_errors: 4,
      tx_dropped: 6,
    },
  });
});
