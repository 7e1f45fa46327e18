import type { HomePaths } from '../store/home.ts';
import type { Driver } from './driver.ts';
import { QemuDriver } from './qemu/qemu-driver.ts';

/** All drivers by name, the best for an ordinary computer first. */
export function openDrivers(paths: HomePaths): ReadonlyMap<string, Driver> {
  const drivers: readonly Driver[] = [new QemuDriver({ memoryFile: paths.qemuMemory })];
  return new Map(drivers.map((driver) => [driver.name, driver]));
}
