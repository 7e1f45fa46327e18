import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { EngineClient } from '../../../client/engine-client.ts';
import type { Machines } from '../../../provisioners/machines.ts';
import type { DesktopServices } from '../../contract/contract.ts';
import { DesktopError, type ErrorShape } from '../../contract/errors.ts';
import { desktopError, errorShapeOf } from '../failures.ts';
import type { MachineList } from './machine-list.ts';
import { followMachineLog } from './machine-log.ts';
import type { MachineOperations } from './machine-operations.ts';
import { machineUsage } from './machine-usage.ts';

export interface MachineServicesOptions {
  readonly machines: Machines;
  readonly list: MachineList;
  readonly operations: MachineOperations;
  /** The first reading of the machines. */
  readonly initial: Promise<void>;
  readonly client: (machine: string) => EngineClient;
}

type Services = DesktopServices['machines'];

/** The part of the contract that is about machines. */
export function machineServices(options: MachineServicesOptions): Services {
  const { machines, operations, list, initial, client } = options;
  return {
    ...changes(operations),
    drivers: () =>
      asked(async () => {
        const drivers = await machines.drivers();
        return { drivers: drivers.map((driver) => ({ ...driver, ...formOf(driver) })) };
      }),
    watch: async function* (_, signal) {
      // A list that could not be read is an error, not an empty one: trying once more is what opening it anew is for.
      await initial.catch(() => list.read()).catch((error: unknown) => Promise.reject(desktopError(error)));
      yield* list.watch(signal);
    },
    snapshots: ({ name }) => asked(async () => ({ snapshots: [...(await machines.snapshots(name))] })),
    usage: ({ name }, signal) => asked(() => machineUsage(name, { machines, client: client(name), signal })),
    examine: () => asked(async () => ({ findings: [...(await machines.examine())] })),
    leftovers: () =>
      asked(async () => ({
        leftovers: (await machines.leftovers()).map(({ title, sizeBytes, cost }) => ({ title, sizeBytes, cost })),
      })),
    removeLeftovers: ({ titles }) => asked(() => removeLeftovers(machines, titles)),
    log: (input, signal) => followMachineLog({ machines, list }, input, signal),
  };
}

function changes(operations: MachineOperations) {
  const done = (work: Promise<void>): Promise<Record<string, never>> => work.then(() => ({}));
  const change = (verb: Parameters<MachineOperations['change']>[0]) => (input: { readonly name: string }) =>
    done(operations.change(verb, input.name));
  const snapshot =
    (verb: 'take' | 'restore' | 'remove') => (input: { readonly name: string; readonly snapshot: string }) =>
      done(operations.changeSnapshot(input.name, { verb, snapshot: input.snapshot }));
  return {
    create: (request) => done(operations.create(requestOf(request))),
    ensureRunning: (request) => done(operations.ensureRunning(requestOf(request))),
    start: change('start'),
    stop: change('stop'),
    kill: change('kill'),
    pause: change('pause'),
    resume: change('resume'),
    suspend: change('suspend'),
    upgrade: change('upgrade'),
    remove: ({ name }) => done(operations.remove(name)),
    cancel: async ({ name }) => {
      operations.cancel(name);
      return {};
    },
    resize: async ({ name, settings }) => ({ waiting: [...(await operations.resize(name, settings))] }),
    share: ({ name, add, remove }) => done(operations.share(name, { add, remove })),
    takeSnapshot: snapshot('take'),
    restoreSnapshot: snapshot('restore'),
    removeSnapshot: snapshot('remove'),
    clone: ({ name, copy }) => done(operations.clone(name, copy)),
    export: async ({ name, file }) => {
      const path = atHome(file);
      await expectNoFile(path);
      await operations.export(name, path);
      return { file: path };
    },
    import: ({ name, file }) => done(operations.import(name, atHome(file))),
  } satisfies Partial<Services>;
}

/** An absent driver stays absent: a key that is there and undefined is another thing to a document. */
function requestOf({
  driver,
  ...request
}: Parameters<Services['create']>[0]): Parameters<MachineOperations['create']>[0] {
  return { ...request, ...(driver !== undefined && { driver }) };
}

/** Copies, for what crosses to a page is its own. */
function formOf({ abilities, settings }: Awaited<ReturnType<Machines['drivers']>>[number]) {
  return {
    abilities: [...abilities],
    settings: settings.map(({ standard, choices, isLasting = false, ...field }) => ({
      ...field,
      isLasting,
      standard: typeof standard === 'object' && standard !== null ? [...standard] : standard,
      choices: choices && [...choices],
    })),
  };
}

async function removeLeftovers(machines: Machines, titles: readonly string[]) {
  const failed: { title: string; error: ErrorShape }[] = [];
  for (const leftover of await machines.leftovers()) {
    if (!titles.includes(leftover.title)) continue;
    try {
      await leftover.remove();
    } catch (error) {
      failed.push({ title: leftover.title, error: errorShapeOf(error) });
    }
  }
  return { failed };
}

function atHome(file: string): string {
  return /^~[/\\]/.test(file) ? join(homedir(), file.slice(2)) : file;
}

/** An export takes the place of what is there; one click must not. */
async function expectNoFile(path: string): Promise<void> {
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  if (isThere) throw new DesktopError('name-taken', `There is a file ${path} already; choose another name.`);
}

async function asked<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw desktopError(error);
  }
}
