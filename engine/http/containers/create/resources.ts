/** The limits of `HostConfig`; `update` sends the same fields. */
import type { ResourceSpec } from '../../../containers/spec.ts';
import { invalid } from '../../../model/errors.ts';
import type { Fields } from '../../fields.ts';
import { positive } from './numbers.ts';

const minMemoryBytes = 6 * 1024 * 1024;

export function readResources(host: Fields): ResourceSpec {
  const memoryBytes = positive('Memory', host.integer('Memory'));
  const memorySwapBytes = host.integer('MemorySwap');
  const nanoCpus = positive('NanoCpus', host.integer('NanoCpus'));
  const cpuPeriodUs = host.integer('CpuPeriod');
  const cpuQuotaUs = host.integer('CpuQuota');
  if (memoryBytes !== null && memoryBytes < minMemoryBytes) throw invalid('Minimum memory limit allowed is 6MB');
  if (memorySwapBytes !== null && memorySwapBytes !== -1) {
    if (memoryBytes === null)
      throw invalid('You should always set the Memory limit when using Memoryswap limit, see usage');
    if (memorySwapBytes < memoryBytes)
      throw invalid('Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (nanoCpus !== null && (cpuPeriodUs !== null || cpuQuotaUs !== null)) {
    throw invalid('Conflicting options: Nano CPUs and CPU Period or Quota cannot both be set.');
  }
  const pids = host.integer('PidsLimit');
  return {
    memoryBytes,
    memorySwapBytes,
    nanoCpus,
    cpuShares: host.integer('CpuShares'),
    cpuPeriodUs,
    cpuQuotaUs,
    cpusetCpus: host.text('CpusetCpus') || null,
    memoryReservationBytes: null,
    memorySwappiness: null,
    isOomKillDisabled: null,
    cpuRealtimePeriodUs: null,
    cpuRealtimeRuntimeUs: null,
    cpusetMems: null,
    blkioWeight: null,
    blkioWeightDevices: [],
    blkioReadBps: [],
    blkioWriteBps: [],
    blkioReadIops: [],
    blkioWriteIops: [],
    cgroupParent: '',
    pidsLimit: pids === null || pids < 0 ? null : pids,
  };
}
