import { join } from 'node:path';
import type { MachinePaths } from '../../store/home.ts';
import type { ProcessIdentity } from '../../store/process-identity.ts';
import { waitForEnd } from '../../store/process-identity.ts';
import type { StartedVm, VmProcessFiles } from '../vm/vm-process.ts';
import { endVmProcess, startVmProcess } from '../vm/vm-process.ts';
import { askFor } from './control.ts';

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

/** Its own end lets go of disks and addresses; a process that does not take it is killed. */
export async function endVfkit(paths: VfkitPaths, identity: ProcessIdentity): Promise<void> {
  try {
    await askFor(controlSocketOf(paths), 'HardStop');
    if (await waitForEnd(identity, { timeoutMs: 3_000 })) return;
  } catch {
    // It may end before it answers, or not answer at all; whether it did end is looked at below.
  }
  await endVmProcess(identity);
}
