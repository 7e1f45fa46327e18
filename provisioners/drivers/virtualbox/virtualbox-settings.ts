import { availableParallelism, totalmem } from 'node:os';
import { driverSettings } from '../../settings/driver-settings.ts';
import { setting } from '../../settings/setting.ts';

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

/** The same flags as other local machines have; VirtualBox changes none of them while a machine runs. */
export const virtualboxSettings = driverSettings({
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
    standard: Math.min(2 * GiB, Math.max(1 * GiB, Math.floor(totalmem() / 4))),
    change: 'restart',
  }),
  diskBytes: setting.bytes({
    flag: 'disk',
    title: 'Disk',
    help: 'Size of its disk (20g), which takes only the space of what is in it; it can grow later',
    environment: ['SKIFF_MACHINE_DISK'],
    least: 2 * GiB,
    // What a VDI can be grown to.
    most: 2 * 1024 * GiB,
    standard: 64 * GiB,
    change: 'restart',
  }),
});
