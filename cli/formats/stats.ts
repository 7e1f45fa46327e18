import type { StatsSample } from '../../api/stats.ts';
import type { RowFormat } from './rows.ts';
import { formatMemory, formatSize } from './sizes.ts';

type StatsField = 'BlockIO' | 'CPUPerc' | 'Container' | 'ID' | 'MemPerc' | 'MemUsage' | 'Name' | 'NetIO' | 'PIDs';

export type StatsRow = Readonly<Record<StatsField, string>>;

export const statsFormat: RowFormat<StatsField> = {
  titles: {
    BlockIO: 'BLOCK I/O',
    CPUPerc: 'CPU %',
    Container: 'CONTAINER',
    ID: 'CONTAINER ID',
    MemPerc: 'MEM %',
    MemUsage: 'MEM USAGE / LIMIT',
    Name: 'NAME',
    NetIO: 'NET I/O',
    PIDs: 'PIDS',
  },
  table: ['ID', 'Name', 'CPUPerc', 'MemUsage', 'MemPerc', 'NetIO', 'BlockIO', 'PIDs'],
  quiet: 'ID',
};

/** What `stats` prints of a container; `sample` is null until there is one. */
export function statsRow(
  container: { readonly asked: string; readonly id: string; readonly name: string },
  sample: StatsSample | null,
  length: 'short' | 'full',
): StatsRow {
  const shown = {
    Container: container.asked,
    ID: length === 'short' ? container.id.slice(0, 12) : container.id,
    Name: container.name === '' ? '--' : container.name,
  };
  if (sample === null) {
    return { ...shown, CPUPerc: '--', MemUsage: '-- / --', MemPerc: '--', NetIO: '--', BlockIO: '--', PIDs: '--' };
  }
  const usage = memoryInUse(sample.memory_stats);
  const limit = sample.memory_stats.limit ?? 0;
  const network = Object.values(sample.networks ?? {});
  const disk = sample.blkio_stats?.io_service_bytes_recursive ?? [];
  const diskBytes = (letter: string): number =>
    disk.filter(({ op }) => op.toLowerCase().startsWith(letter)).reduce((sum, { value }) => sum + value, 0);
  return {
    ...shown,
    CPUPerc: `${cpuPercent(sample).toFixed(2)}%`,
    MemUsage: `${formatMemory(usage)} / ${formatMemory(limit)}`,
    MemPerc: `${(limit === 0 ? 0 : (usage / limit) * 100).toFixed(2)}%`,
    NetIO: `${formatSize(network.reduce((sum, { rx_bytes }) => sum + rx_bytes, 0))} / ${formatSize(network.reduce((sum, { tx_bytes }) => sum + tx_bytes, 0))}`,
    BlockIO: `${formatSize(diskBytes('r'))} / ${formatSize(diskBytes('w'))}`,
    PIDs: String(sample.pids_stats?.current ?? 0),
  };
}

/** Without the page cache that the kernel would give back first. */
function memoryInUse({ usage = 0, stats = {} }: StatsSample['memory_stats']): number {
  const cache = stats['total_inactive_file'] ?? stats['inactive_file'] ?? 0;
  return cache < usage ? usage - cache : usage;
}

/** Of one processor: two that are busy are 200. */
function cpuPercent({ cpu_stats: now, precpu_stats: before }: StatsSample): number {
  const used = now.cpu_usage.total_usage - before.cpu_usage.total_usage;
  const passed = (now.system_cpu_usage ?? 0) - (before.system_cpu_usage ?? 0);
  const cpus = now.online_cpus || now.cpu_usage.percpu_usage?.length || 1;
  return used > 0 && passed > 0 ? (used / passed) * cpus * 100 : 0;
}
