import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Driver, DriverRun } from '../drivers/driver.ts';
import type { MachineSettings } from '../machines.ts';
import { MachineError } from '../machines.ts';
import { storedSettings } from '../settings/driver-settings.ts';
import { makePrivateFolder } from '../store/atomic-file.ts';
import type { MachineDocument } from '../store/machine-document.ts';
import { documentVersion } from '../store/machine-document.ts';
import type { MachineName } from '../store/machine-name.ts';
import { copyRoleOf, expectState, machineOf } from './change-machine.ts';
import { packMachine, unpackMachine } from './machine-archive.ts';
import { provideKeys } from './machine-keys.ts';
import { MachineSession } from './machine-session.ts';
import type { MachinesContext } from './machines-context.ts';

/**
 * Copies of a stopped machine: a clone beside it, or a file that another computer makes a machine of. What is copied is the disk
 * with all that the engine keeps, and the settings; keys are made anew, so that a copy never lets anybody into the original.
 * The manifest below is `machine.json`, format 1, in the file.
 */
const manifestSchema = z.strictObject({
  format: z.literal(1),
  name: z.string(),
  driver: z.string(),
  settings: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())])),
  engine: z.strictObject({ version: z.string(), digest: z.string() }).nullable(),
});
type Manifest = z.infer<typeof manifestSchema>;

export async function cloneMachine(
  context: MachinesContext,
  options: { readonly source: MachineSession; readonly name: MachineName; readonly run: DriverRun },
): Promise<void> {
  const { source, name, run } = options;
  const role = copyRoleOf(source);
  await expectState(source, 'stopped');
  const { driver, document } = source;
  await begin(context, { name, driver, settings: document.settings, engine: document.engine }, async (copy, folder) => {
    const disk = join(folder, 'incoming.disk');
    await role.writeDisk(await machineOf(source), disk, run);
    await copyRoleOf(copy).takeDisk(await machineOf(copy), disk, run);
  });
}

export async function exportMachine(
  source: MachineSession,
  options: { readonly file: string; readonly run: DriverRun },
): Promise<void> {
  const { file, run } = options;
  const role = copyRoleOf(source);
  await expectState(source, 'stopped');
  const { name, document } = source;
  const folder = await mkdtemp(join(source.paths.folder, 'export-'));
  try {
    const manifest: Manifest = {
      format: 1,
      name,
      driver: document.driver,
      settings: manifestSchema.shape.settings.parse(document.settings),
      engine: document.engine,
    };
    await writeFile(join(folder, 'machine.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    await role.writeDisk(await machineOf(source), join(folder, 'disk.raw'), run);
    run.tell({ detail: 'packing' });
    await packMachine(folder, { file, signal: run.signal });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export async function importMachine(
  context: MachinesContext,
  options: { readonly file: string; readonly name: MachineName; readonly run: DriverRun },
): Promise<void> {
  const { file, name, run } = options;
  await makePrivateFolder(context.store.paths.machines);
  // Beside the machines, so that the disk can be moved there; a name with a dot in front is no machine.
  const folder = await mkdtemp(join(context.store.paths.machines, '.import-'));
  try {
    await unpackMachine(file, { folder, signal: run.signal });
    const manifest = await readManifest(join(folder, 'machine.json'), file);
    const driver = context.drivers.get(manifest.driver);
    if (driver === undefined)
      throw new MachineError('no-such-driver', `${file} is of the driver "${manifest.driver}", which is not here`);
    const why = await driver.availability();
    if (why !== null) throw new MachineError('driver-unavailable', why);
    const { settings, engine } = manifest;
    await begin(context, { name, driver, settings: fitting(driver, settings), engine }, async (copy) => {
      await copyRoleOf(copy).takeDisk(await machineOf(copy), join(folder, 'disk.raw'), run);
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A computer with fewer processors or less memory gives what it has. */
function fitting(driver: Driver, settings: MachineSettings): MachineSettings {
  return Object.fromEntries(
    driver.settings.fields.flatMap(({ key, most, kind }) => {
      const value = settings[key];
      if (value === undefined) return [];
      const isTooMuch = most !== null && typeof value === 'number' && value > most && kind !== 'text';
      return [[key, isTooMuch ? most : value]];
    }),
  );
}

/** Makes the machine's folder and document, lets `fill` bring the disk, and calls it ready; leaves nothing when that fails. */
async function begin(
  context: MachinesContext,
  made: {
    readonly name: MachineName;
    readonly driver: Driver;
    readonly settings: MachineSettings;
    readonly engine: MachineDocument['engine'];
  },
  fill: (session: MachineSession, folder: string) => Promise<void>,
): Promise<void> {
  const { store } = context;
  const { name, driver, engine } = made;
  if ((await store.names()).includes(name))
    throw new MachineError('name-taken', `There is a machine "${name}" already`);
  const settings = storedSettings(driver.settings.fields, { ...driver.settings.resolve(made.settings) });
  const document: MachineDocument = {
    version: documentVersion,
    id: randomBytes(16).toString('hex'),
    name,
    driver: driver.name,
    createdAt: new Date().toISOString(),
    settings,
    lifecycle: { phase: 'creating', done: [], error: null },
    driverMemory: {},
    facts: {},
    resources: [],
    engine,
    dockerContext: null,
  };
  const session = new MachineSession({ store, driver, name, document });
  await store.makeFolders(name);
  try {
    await store.write(name, document);
    await provideKeys(session.paths, name);
    await fill(session, session.paths.folder);
    await session.change({ lifecycle: { phase: 'ready' } });
  } catch (error) {
    await store.removeFolders(name);
    throw error;
  }
}

async function readManifest(path: string, file: string): Promise<Manifest> {
  try {
    return manifestSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    throw new MachineError('image-corrupt', `${file} is no exported machine that this Skiff can read`, { cause });
  }
}
