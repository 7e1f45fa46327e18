import { sep } from 'node:path';
import type { Leftover } from '../machines.ts';
import { MachineError } from '../machines.ts';
import { isErrno } from '../store/atomic-file.ts';
import { isMachineName } from '../store/machine-name.ts';
import type { RunningProcess } from '../store/process-identity.ts';
import { listProcesses, waitForEnd } from '../store/process-identity.ts';

/** Each of them carries the machine's folder on its command line, as the one of a disk, a socket or a vmx file. */
const programs = /qemu-system|vfkit|vmware-vmx|host-agent/;

/** Programs that run for machines whose folders are gone. */
export async function lostProcesses(machinesFolder: string, known: ReadonlySet<string>): Promise<readonly Leftover[]> {
  return (await listProcesses()).flatMap((running): Leftover[] => {
    const name = machineOf(running, machinesFolder);
    if (name === null || known.has(name)) return [];
    return [
      {
        title: `process ${running.pid} of machine "${name}", which is gone`,
        sizeBytes: null,
        cost: 'its processor time and memory',
        remove: () => end(running),
      },
    ];
  });
}

function machineOf({ commandLine }: RunningProcess, machinesFolder: string): string | null {
  if (!programs.test(commandLine)) return null;
  const beginning = `${machinesFolder}${sep}`;
  const at = commandLine.indexOf(beginning);
  if (at < 0) return null;
  const name = commandLine.slice(at + beginning.length).split(/[/\\\s"]/, 1)[0] ?? '';
  return isMachineName(name) ? name : null;
}

async function end(running: RunningProcess): Promise<void> {
  try {
    process.kill(running.pid, 'SIGKILL');
  } catch (error) {
    if (isErrno(error, 'ESRCH')) return;
    if (!isErrno(error, 'EPERM')) throw error;
    const message = `Process ${running.pid} is the administrator's; end it with: sudo kill -9 ${running.pid}`;
    throw new MachineError('internal', message, { cause: error });
  }
  if (!(await waitForEnd(running, { timeoutMs: 10_000 })))
    throw new MachineError('timeout', `Process ${running.pid} does not end although it was killed`);
}
