import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { provideKeys } from '../machines/machine-keys.ts';
import type { MachineSettings } from '../machines.ts';
import { parseMachineName } from '../store/machine-name.ts';
import { MachineStore } from '../store/machine-store.ts';
import type { BootImage, Driver, DriverMachine } from './driver.ts';
import type { OutsideResource, ResourceJournal } from './resources.ts';

/** A machine as `machines/` hands it to a driver, in a home of its own, for tests of drivers alone. */
export interface MadeMachine extends AsyncDisposable {
  readonly store: MachineStore;
  readonly machine: DriverMachine;
}

export async function makeDriverMachine(options: {
  readonly open: (store: MachineStore) => Driver;
  readonly settings: MachineSettings;
  readonly image?: BootImage;
  /** Default: `suite`. */
  readonly name?: string;
  /** Default: an installation of its own. */
  readonly owner?: string;
}): Promise<MadeMachine & { readonly driver: Driver }> {
  const home = await mkdtemp(join(tmpdir(), 'skiff-driver-'));
  const store = new MachineStore(home);
  const driver = options.open(store);
  const name = parseMachineName(options.name ?? 'suite');
  await store.makeFolders(name);
  const paths = store.machine(name);
  const keys = await provideKeys(paths, name);
  let memory: DriverMachine['memory'] = {};
  const machine: DriverMachine = {
    name,
    id: randomBytes(16).toString('hex'),
    owner: options.owner ?? store.owner(),
    resources: memoryJournal(),
    settings: { ...driver.settings.resolve(options.settings) },
    paths,
    get memory() {
      return memory;
    },
    remember: (next) => {
      memory = next;
      return Promise.resolve();
    },
    keys,
    image: options.image ?? null,
  };
  return {
    store,
    driver,
    machine,
    [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true }),
  };
}

/** The same machine with something else; what it remembers stays one. */
export function withMachine(machine: DriverMachine, change: Partial<DriverMachine>): DriverMachine {
  return {
    ...machine,
    ...change,
    get memory() {
      return machine.memory;
    },
  };
}

/** A journal as the machine's document keeps it, without the document. */
export function memoryJournal(): ResourceJournal {
  const resources = new Map<string, OutsideResource>();
  return {
    get all() {
      return [...resources.values()];
    },
    put: (resource) => Promise.resolve(void resources.set(resource.key, resource)),
    drop: (key) => Promise.resolve(void resources.delete(key)),
  };
}
