import { blkioLimit } from '../../runtime/host-devices.ts';
import type { ResourceLimits } from '../../runtime/container-settings.ts';
import type { ResourceSpec } from './spec.ts';

/** Limits as `runtime/` takes them: devices by number. Throws `invalid` for a path that is no block device of this host. */
export function limitsOf(resources: ResourceSpec): ResourceLimits {
  return {
    memoryBytes: resources.memoryBytes,
    memoryReservationBytes: resources.memoryReservationBytes,
    memoryAndSwapBytes: resources.memorySwapBytes,
    memorySwappiness: resources.memorySwappiness,
    isOomKillDisabled: resources.isOomKillDisabled ?? false,
    nanoCpus: resources.nanoCpus,
    cpuShares: resources.cpuShares,
    cpuQuotaMicros: resources.cpuQuotaUs,
    cpuPeriodMicros: resources.cpuPeriodUs,
    cpuRealtimeRuntimeMicros: resources.cpuRealtimeRuntimeUs,
    cpuRealtimePeriodMicros: resources.cpuRealtimePeriodUs,
    cpusetCpus: resources.cpusetCpus,
    cpusetMems: resources.cpusetMems,
    pidsLimit: resources.pidsLimit,
    blkioWeight: resources.blkioWeight,
    blkioWeightDevices: resources.blkioWeightDevices.map(blkioLimit),
    blkioReadBps: resources.blkioReadBps.map(blkioLimit),
    blkioWriteBps: resources.blkioWriteBps.map(blkioLimit),
    blkioReadIops: resources.blkioReadIops.map(blkioLimit),
    blkioWriteIops: resources.blkioWriteIops.map(blkioLimit),
  };
}
