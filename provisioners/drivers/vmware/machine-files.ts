import { join } from 'node:path';
import type { MachinePaths } from '../../store/home.ts';

interface DiskFiles {
  readonly raw: string;
  /** What VMware is given: it names the raw file, which lies beside it. */
  readonly descriptor: string;
}

/** All that VMware has of a machine. */
export interface VmwareFiles {
  /** Where VMware itself writes too: logs, firmware variables, saved memory. */
  readonly folder: string;
  readonly vmx: string;
  readonly system: DiskFiles;
  readonly data: DiskFiles;
  readonly seed: DiskFiles;
  /** In the order in which the machine has them. */
  readonly disks: readonly DiskFiles[];
}

export function filesOf(paths: Pick<MachinePaths, 'folder' | 'dataDisk' | 'seed'>): VmwareFiles {
  const folder = join(paths.folder, 'vmware');
  const disk = (name: string, raw: string): DiskFiles => ({ raw, descriptor: join(paths.folder, `${name}.vmdk`) });
  const system = disk('system', join(paths.folder, 'system.disk'));
  const data = disk('data', paths.dataDisk);
  const seed = disk('seed', paths.seed);
  return { folder, vmx: join(folder, 'skiff.vmx'), system, data, seed, disks: [system, data, seed] };
}
