import { availableParallelism, totalmem } from 'node:os';
import { driverSettings } from '../../settings/driver-settings.ts';
import { setting } from '../../settings/setting.ts';
import { shareSetting } from '../../shares/share-setting.ts';

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

/** A quarter of the computer, at least 1 GiB, at most 2, as others' machines have: an emulated boot pays 0.2 s for each further GiB. */
const usualMemoryBytes = Math.min(2 * GiB, Math.max(1 * GiB, Math.floor(totalmem() / 4)));

interface DiskLimits {
  /** What its form of disk can be grown to. */
  readonly mostDiskBytes: number;
  readonly diskChange: 'live' | 'restart';
}

/** What every machine of this computer can be told: the same flags for each hypervisor. */
export const vmSettings = (disk: DiskLimits) => driverSettings(vmSettingTable(disk));

/** The same, for a hypervisor that can be told more. */
export function vmSettingTable(disk: DiskLimits) {
  return {
    cpus: setting.integer({
      flag: 'cpus',
      title: 'Processors',
      help: 'Number of processors of the machine',
      environment: ['SKIFF_MACHINE_CPUS'],
      least: 1,
      most: availableParallelism(),
      standard: Math.min(4, availableParallelism()),
      change: 'restart',
    }),
    memoryBytes: setting.bytes({
      flag: 'memory',
      title: 'Memory',
      help: 'Size of its memory (2g)',
      environment: ['SKIFF_MACHINE_MEMORY'],
      least: 512 * MiB,
      most: totalmem(),
      standard: usualMemoryBytes,
      change: 'restart',
    }),
    diskBytes: setting.bytes({
      flag: 'disk',
      title: 'Disk',
      help: 'Size of its disk (20g), which takes only the space of what is in it; it can grow later',
      environment: ['SKIFF_MACHINE_DISK'],
      least: 2 * GiB,
      most: disk.mostDiskBytes,
      standard: 64 * GiB,
      change: disk.diskChange,
    }),
    shares: shareSetting('home'),
  };
}
