import { readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Leftover } from '../machines.ts';
import { isErrno } from '../store/atomic-file.ts';
import { isMachineName, parseMachineName } from '../store/machine-name.ts';
import { readProcess, waitForEnd } from '../store/process-identity.ts';
import { MachineError } from '../machines.ts';
import type { MachinesContext } from './machines-context.ts';

/**
 * What is left on this computer of machines whose folders are gone: somebody removed a folder by hand, restored an old
 * backup of the home, or a disk failed. Everything here is found by what it says of itself, never by a guess.
 */
export async function findLeftovers(context: MachinesContext): Promise<readonly Leftover[]> {
  const { store } = context;
  const known = new Set(await store.names());
  const [contexts, processes, imports] = await Promise.all([
    context.contexts.list(store.paths.machines),
    lostProcesses(store.paths.machines, known),
    halfImports(store.paths.machines),
  ]);
  const lostContexts = contexts.flatMap(({ context: name, machineFolder, remove }): Leftover[] =>
    known.has(machineName(machineFolder))
      ? []
      : [{ title: `docker context "${name}" of a machine that is gone`, sizeBytes: null, cost: null, remove }],
  );
  return [...processes, ...lostContexts, ...imports];
}

function machineName(folder: string): ReturnType<typeof parseMachineName> {
  return parseMachineName(basename(folder));
}

/** Programs of machines carry their folder on their command line. Linux alone shows those of all processes cheaply. */
async function lostProcesses(machinesFolder: string, known: ReadonlySet<string>): Promise<Leftover[]> {
  if (process.platform !== 'linux') return [];
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid): Promise<Leftover[]> => {
      const running = await readProcess(pid);
      const at = running === null ? -1 : running.commandLine.indexOf(`${machinesFolder}/`);
      if (running === null || at < 0 || !/qemu-system|host-agent/.test(running.commandLine)) return [];
      const name = running.commandLine.slice(at + machinesFolder.length + 1).split(/[/\s]/, 1)[0] ?? '';
      if (!isMachineName(name) || known.has(name)) return [];
      const end = async (): Promise<void> => {
        process.kill(pid, 'SIGKILL');
        if (!(await waitForEnd(running, { timeoutMs: 10_000 })))
          throw new MachineError('timeout', `Process ${pid} does not end although it was killed`);
      };
      return [
        {
          title: `process ${pid} of machine "${name}", which is gone`,
          sizeBytes: null,
          cost: 'its processor time and memory',
          remove: end,
        },
      ];
    }),
  );
  return found.flat();
}

/** An import that was killed leaves the folder that it unpacked into. */
async function halfImports(machinesFolder: string): Promise<Leftover[]> {
  let names: string[];
  try {
    names = await readdir(machinesFolder);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
  const halves = names.filter((name) => name.startsWith('.import-'));
  return Promise.all(
    halves.map(async (name): Promise<Leftover> => {
      const folder = join(machinesFolder, name);
      return {
        title: `half an import (${name})`,
        sizeBytes: await takenBytes(folder),
        cost: 'its disk space',
        remove: () => rm(folder, { recursive: true, force: true }),
      };
    }),
  );
}

/** What the files of a folder take of the disk, which for those with holes is less than their size. */
async function takenBytes(folder: string): Promise<number> {
  const files = await Promise.all((await readdir(folder)).map((name) => stat(join(folder, name))));
  return files.reduce((sum, { blocks }) => sum + blocks * 512, 0);
}
