import { flag } from '../flags/flag.ts';
import { parseMemory } from '../formats/sizes.ts';
import { parseByteRate, parseDeviceRule, parseDeviceWeight, parseGpus, parseRate, parseUlimit } from './devices.ts';
import { parseCpus, parseSwap, parseWeight } from './limits.ts';

/** The flags of `create` and `run` about processor, memory, disk and devices. */
export const resourceFlags = {
  blkioWeight: flag.value(
    { help: 'Block IO (relative weight), between 10 and 1000, or 0 to disable', standard: '0' },
    'uint16',
    parseWeight,
  ),
  blkioWeightDevice: flag.listOf({ help: 'Block IO weight (relative device weight)' }, parseDeviceWeight),
  cgroupParent: flag.text({ help: 'Optional parent cgroup for the container' }),
  cpuPeriod: flag.integer({ help: 'Limit CPU CFS (Completely Fair Scheduler) period' }),
  cpuQuota: flag.integer({ help: 'Limit CPU CFS (Completely Fair Scheduler) quota' }),
  cpuRtPeriod: flag.integer({ help: 'Limit CPU real-time period in microseconds' }),
  cpuRtRuntime: flag.integer({ help: 'Limit CPU real-time runtime in microseconds' }),
  cpuShares: flag.integer({ short: 'c', help: 'CPU shares (relative weight)' }),
  cpus: flag.value({ help: 'Number of CPUs' }, 'decimal', parseCpus),
  cpusetCpus: flag.text({ help: 'CPUs in which to allow execution (0-3, 0,1)' }),
  cpusetMems: flag.text({ help: 'MEMs in which to allow execution (0-3, 0,1)' }),
  device: flag.list({ help: 'Add a host device to the container', offers: 'file' }),
  deviceCgroupRule: flag.list({ help: 'Add a rule to the cgroup allowed devices list' }, parseDeviceRule),
  deviceReadBps: flag.listOf({ help: 'Limit read rate (bytes per second) from a device' }, parseByteRate),
  deviceReadIops: flag.listOf({ help: 'Limit read rate (IO per second) from a device' }, parseRate),
  deviceWriteBps: flag.listOf({ help: 'Limit write rate (bytes per second) to a device' }, parseByteRate),
  deviceWriteIops: flag.listOf({ help: 'Limit write rate (IO per second) to a device' }, parseRate),
  gpus: flag.listOf(
    { help: "GPU devices to add to the container ('all' to pass all GPUs)", placeholder: 'gpu-request' },
    parseGpus,
  ),
  memory: flag.value({ short: 'm', help: 'Memory limit' }, 'bytes', parseMemory),
  memoryReservation: flag.value({ help: 'Memory soft limit' }, 'bytes', parseMemory),
  memorySwap: flag.value(
    { help: "Swap limit equal to memory plus swap: '-1' to enable unlimited swap" },
    'bytes',
    (text) => parseSwap(text, parseMemory),
  ),
  memorySwappiness: flag.integer({ help: 'Tune container memory swappiness (0 to 100)', standard: '-1' }),
  oomKillDisable: flag.switch({ help: 'Disable OOM Killer' }),
  oomScoreAdj: flag.integer({ help: "Tune host's OOM preferences (-1000 to 1000)" }),
  pidsLimit: flag.integer({ help: 'Tune container pids limit (set -1 for unlimited)' }),
  shmSize: flag.value({ help: 'Size of /dev/shm' }, 'bytes', parseMemory),
  ulimit: flag.listOf({ help: 'Ulimit options', placeholder: 'ulimit' }, parseUlimit),
};
