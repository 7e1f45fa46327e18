import type { HomePaths } from '../store/home.ts';
import type { Driver } from './driver.ts';
import { GenericDriver } from './generic/generic-driver.ts';
import { HypervDriver } from './hyperv/hyperv-driver.ts';
import { LocalDriver } from './local/local-driver.ts';
import { QemuDriver } from './qemu/qemu-driver.ts';
import { VfkitDriver } from './vfkit/vfkit-driver.ts';
import { VirtualboxDriver } from './virtualbox/virtualbox-driver.ts';
import { thisComputer } from './vm/find-program.ts';
import { VmwareDriver } from './vmware/vmware-driver.ts';
import { Wsl2Driver } from './wsl2/wsl2-driver.ts';

/** All drivers by name, the best for an ordinary computer first. */
export function openDrivers(
  paths: HomePaths,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ReadonlyMap<string, Driver> {
  const drivers: readonly Driver[] = [
    new QemuDriver({ memoryFile: paths.qemuMemory, computer: { ...thisComputer(), environment } }),
    new VfkitDriver({ computer: { ...thisComputer(), environment } }),
    new HypervDriver({ computer: { ...thisComputer(), environment } }),
    new Wsl2Driver({ computer: { ...thisComputer(), environment } }),
    new VmwareDriver({ computer: { ...thisComputer(), environment } }),
    new VirtualboxDriver({ computer: { ...thisComputer(), environment } }),
    new LocalDriver(),
    new GenericDriver({ environment }),
  ];
  return new Map(drivers.map((driver) => [driver.name, driver]));
}
