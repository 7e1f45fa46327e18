import { readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { DriverRun, TaggedResource } from '../drivers/driver.ts';
import type { Leftover } from '../machines.ts';
import { isErrno } from '../store/atomic-file.ts';
import type { MachineName } from '../store/machine-name.ts';
import { parseMachineName } from '../store/machine-name.ts';
import type { MachineStore } from '../store/machine-store.ts';
import { MachineError } from '../machines.ts';
import { lostProcesses } from './lost-processes.ts';
import type { MachinesContext } from './machines-context.ts';
import { removeMachine } from './remove-machine.ts';

/**
 * What is left of machines whose folders or documents are gone: somebody removed a folder by hand, restored an old backup of the
 * home, forced a removal, or a disk failed. Everything here is found by what it says of itself, never by a guess: a driver's things
 * by the tag of this installation and of a machine that no document knows.
 */
export async function findLeftovers(context: MachinesContext): Promise<readonly Leftover[]> {
  const { store } = context;
  // First what is tagged, then the documents: a machine that is made meanwhile is known by then.
  const tagged = await allTagged(context);
  const known = new Set(await store.names());
  const [contexts, processes, imports, folders, lostTagged, cached] = await Promise.all([
    context.contexts.list(store.paths.machines),
    lostProcesses(store.paths.machines, known),
    halfImports(store.paths.machines),
    lostFolders(context, [...known]),
    ofNobody(context, { tagged, names: [...known] }),
    context.cached(),
  ]);
  const lostContexts = contexts.flatMap(({ context: name, machineFolder, remove }): Leftover[] =>
    known.has(machineName(machineFolder))
      ? []
      : [{ title: `docker context "${name}" of a machine that is gone`, sizeBytes: null, cost: null, remove }],
  );
  return [...lostTagged, ...processes, ...lostContexts, ...folders, ...imports, ...cached];
}

/** How long a tool or a cloud may take to say what there is, or to remove one thing. */
const driverTimeoutMs = 60_000;

function driverRun(): DriverRun {
  return { tell: () => undefined, signal: AbortSignal.timeout(driverTimeoutMs) };
}

async function allTagged({ drivers, store }: MachinesContext): Promise<readonly TaggedResource[]> {
  const owner = store.knownOwner();
  if (owner === null) return [];
  const found = await Promise.all(
    [...drivers.values()].map(async (driver) => {
      // Without its tool nothing can be asked; what it made is found when the tool is back.
      if (driver.tagged === undefined || (await driver.availability()) !== null) return [];
      try {
        return await driver.tagged.find(owner, driverRun());
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause);
        throw new MachineError('internal', `${driver.title} does not say what machines it has: ${why}`, { cause });
      }
    }),
  );
  return found.flat();
}

/** Those that no machine's document knows; none while a document cannot be read, for they may be its. */
async function ofNobody(
  { store }: MachinesContext,
  of: { readonly tagged: readonly TaggedResource[]; readonly names: readonly MachineName[] },
): Promise<Leftover[]> {
  const ids = await Promise.all(of.names.map((name) => machineId(store, name)));
  if (ids.includes('unreadable')) return [];
  return of.tagged
    .filter((one) => !ids.includes(one.machineId))
    .map((one) => ({
      title: `${one.title} of a machine that is gone`,
      sizeBytes: null,
      cost: one.cost,
      remove: () => one.remove(driverRun()),
    }));
}

async function machineId(store: MachineStore, name: MachineName): Promise<string | null> {
  try {
    return (await store.read(name))?.id ?? null;
  } catch {
    return 'unreadable';
  }
}

/** Folders whose document was lost: no list shows them. Not those of a machine that somebody is just making. */
async function lostFolders(context: MachinesContext, names: readonly MachineName[]): Promise<Leftover[]> {
  const { store } = context;
  const found = await Promise.all(
    names.map(async (name): Promise<Leftover[]> => {
      const isNobodys = (await machineId(store, name)) === null && (await store.lockHolder(name)) === null;
      if (!isNobodys) return [];
      const remove = async (): Promise<void> => {
        await using _lock = await store.lock(name, 'remove');
        if ((await machineId(store, name)) !== null)
          throw new MachineError('busy', `Somebody made a machine "${name}" meanwhile`);
        const operation = { report: () => undefined, signal: AbortSignal.timeout(driverTimeoutMs) };
        await removeMachine(context, { name, operation, isForced: false });
      };
      const { folder } = store.machine(name);
      const title = `folder of machine "${name}", which nothing is known of`;
      return [{ title, sizeBytes: await takenBytes(folder), cost: 'its disk space', remove }];
    }),
  );
  return found.flat();
}

function machineName(folder: string): ReturnType<typeof parseMachineName> {
  return parseMachineName(basename(folder));
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
