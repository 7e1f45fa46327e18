/** The limits of `HostConfig`; `update` sends the same fields. What they must be together and on this host: `containers/resource-limits.ts`. */
import type { BlkioDeviceSpec, ResourceSpec } from '../../../containers/spec/spec.ts';
import { invalid } from '../../../model/errors.ts';
import type { Fields } from '../../fields.ts';

export function readResources(host: Fields): ResourceSpec {
  if (host.isGiven('IOMaximumIOps') || host.isGiven('IOMaximumBandwidth'))
    throw invalid('Invalid QoS settings: linux does not support Maximum IO Bandwidth or Maximum IO IOps');
  const rates = (name: string): readonly BlkioDeviceSpec[] =>
    host.objects(name, '[]*blkiodev.ThrottleDevice').map((device) => ({
      path: device.text('Path'),
      value: device.unsigned('Rate', 64) ?? 0,
    }));
  const swappiness = host.integerOrZero('MemorySwappiness');
  return {
    memoryBytes: host.integer('Memory'),
    memorySwapBytes: host.integer('MemorySwap'),
    memoryReservationBytes: host.integer('MemoryReservation'),
    // -1 is how old clients say that they say nothing.
    memorySwappiness: swappiness === -1 ? null : swappiness,
    isOomKillDisabled: host.flagOrNull('OomKillDisable'),
    nanoCpus: host.integer('NanoCpus'),
    cpuShares: host.integer('CpuShares'),
    cpuPeriodUs: host.integer('CpuPeriod'),
    cpuQuotaUs: host.integer('CpuQuota'),
    cpuRealtimePeriodUs: host.integer('CpuRealtimePeriod'),
    cpuRealtimeRuntimeUs: host.integer('CpuRealtimeRuntime'),
    cpusetCpus: host.text('CpusetCpus') || null,
    cpusetMems: host.text('CpusetMems') || null,
    pidsLimit: host.integerOrZero('PidsLimit'),
    blkioWeight: host.unsigned('BlkioWeight', 16),
    blkioWeightDevices: host.objects('BlkioWeightDevice', '[]*blkiodev.WeightDevice').map((device) => ({
      path: device.text('Path'),
      value: device.unsigned('Weight', 16) ?? 0,
    })),
    blkioReadBps: rates('BlkioDeviceReadBps'),
    blkioWriteBps: rates('BlkioDeviceWriteBps'),
    blkioReadIops: rates('BlkioDeviceReadIOps'),
    blkioWriteIops: rates('BlkioDeviceWriteIOps'),
    cgroupParent: host.text('CgroupParent'),
  };
}
