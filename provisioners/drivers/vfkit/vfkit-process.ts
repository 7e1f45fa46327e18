import { join } from 'node:path';
import type { MachinePaths } from '../../store/home.ts';
import type { StartedVm, VmProcessFiles } from '../vm/vm-process.ts';
import { startVmProcess } from '../vm/vm-process.ts';

type VfkitPaths = Pick<MachinePaths, 'folder' | 'serialLog' | 'sockets'>;

/** HTTP on a unix socket, for this user alone. */
export const controlSocketOf = ({ sockets }: Pick<MachinePaths, 'sockets'>): string => join(sockets, 'vfkit.sock');

export function filesOf(paths: VfkitPaths): VmProcessFiles {
  const inFolder = (name: string): string => join(paths.folder, name);
  return {
    title: 'vfkit',
    folder: paths.folder,
    pidFile: inFolder('vfkit.pid'),
    processFile: inFolder('vfkit.process.json'),
    logFile: inFolder('vfkit.log'),
    mark: paths.serialLog,
    socket: controlSocketOf(paths),
  };
}

/** vfkit writes no pid file in all its versions: the shell that becomes vfkit does. */
export function startVfkit(options: {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly paths: VfkitPaths;
  readonly environment: Readonly<Record<string, string | undefined>>;
}): Promise<StartedVm> {
  const files = filesOf(options.paths);
  const script = 'echo $$ >"$1" && shift && exec "$@"';
  const shellArguments = ['-c', script, 'sh', files.pidFile, options.program, ...options.arguments];
  return startVmProcess({ program: '/bin/sh', arguments: shellArguments, files, environment: options.environment });
}
