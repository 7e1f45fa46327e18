import type { MachinePaths } from '../../store/home.ts';
import type { ProcessIdentity } from '../../store/process-identity.ts';
import type { StartedVm, VmProcessFiles } from '../vm/vm-process.ts';
import { findVmProcess, forgetVmProcess, startVmProcess } from '../vm/vm-process.ts';

type QemuPaths = Pick<MachinePaths, 'folder' | 'pidFile' | 'processFile' | 'qemuLog' | 'qmpSocket'>;

/** QEMU writes its pid file itself, and is told where on its command line. */
function filesOf(paths: QemuPaths): VmProcessFiles {
  const { folder, pidFile, processFile, qemuLog, qmpSocket } = paths;
  return { title: 'QEMU', folder, pidFile, processFile, logFile: qemuLog, mark: pidFile, socket: qmpSocket };
}

export const findQemuProcess = (paths: QemuPaths): Promise<ProcessIdentity | null> => findVmProcess(filesOf(paths));

export const forgetQemu = (paths: QemuPaths): Promise<void> => forgetVmProcess(filesOf(paths));

export function startQemu(options: {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly paths: QemuPaths;
  readonly input?: 'none' | 'kept-open';
}): Promise<StartedVm> {
  const { paths, ...process } = options;
  return startVmProcess({ ...process, files: filesOf(paths) });
}
