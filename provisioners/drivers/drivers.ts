import type { HomePaths } from '../store/home.ts';
import type { Driver } from './driver.ts';
import { GenericDriver } from './generic/generic-driver.ts';
import { HypervDriver } from './hyperv/hyperv-driver.ts';
import { LocalDriver } from './local/local-driver.ts';
import { QemuDriver } from './qemu/qemu-driver.ts';
import { VfkitDriver } from './vfkit/vfkit-driver.ts';
import { VirtualboxDriver } from './virtualbox/virtualbox-driver.ts';
import type { Computer } from './vm/find-program.ts';
import { thisComputer } from './vm/find-program.ts';
import { VmwareDriver } from './vmware/vmware-driver.ts';
import { Wsl2Driver } from './wsl2/wsl2-driver.ts';

/** All drivers by name, the best for an ordinary computer first. What the computer is, all of them are told here. */
export function openDrivers(paths: HomePaths, computer: Computer = thisComputer()): ReadonlyMap<string, Driver> {
  const drivers: readonly Driver[] = [
    new QemuDriver({ memoryFile: paths.qemuMemory, computer }),
    new VfkitDriver({ computer }),
    new HypervDriver({ computer }),
    new Wsl2Driver({ computer }),
    new VmwareDriver({ computer }),
    new VirtualboxDriver({ computer }),
    new LocalDriver(computer),
    new GenericDriver({ environment: computer.environment }),
  ];
  return new Map(drivers.map((driver) => [driver.name, driver]));
}
