import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createZstdCompress, createZstdDecompress } from 'node:zlib';
import { z } from 'zod';
import type { Driver, DriverRun } from '../drivers/driver.ts';
import type { MachineSettings } from '../machines.ts';
import { MachineError } from '../machines.ts';
import { storedSettings } from '../settings/driver-settings.ts';
import { isErrno, makePrivateFolder } from '../store/atomic-file.ts';
import type { MachineDocument } from '../store/machine-document.ts';
import { documentVersion } from '../store/machine-document.ts';
import type { MachineName } from '../store/machine-name.ts';
import { copyRoleOf, expectState, machineOf } from './change-machine.ts';
import { provideKeys } from './machine-keys.ts';
import { MachineSession } from './machine-session.ts';
import type { MachinesContext } from './machines-context.ts';

/**
 * Copies of a stopped machine: a clone beside it, or a file that another computer makes a machine of. What is copied is the disk
 * with all that the engine keeps, and the settings; keys are made anew, so that a copy never lets anybody into the original.
 *
 * The file is a tar, compressed with zstd: `machine.json` (format 1), then `disk.raw` with its holes left out.
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
    await pack(folder, { file, signal: run.signal });
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
    await unpack(file, { folder, signal: run.signal });
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

async function pack(folder: string, options: { readonly file: string; readonly signal: AbortSignal }): Promise<void> {
  const { file, signal } = options;
  const making = join(dirname(file), `.${basename(file)}.${process.pid}.new`);
  // GNU's tar leaves holes out when it is told to, the one of macOS and Windows does so by itself.
  const sparse = process.platform === 'linux' ? ['-S'] : [];
  const tar = spawn('tar', ['-c', ...sparse, '-f', '-', '-C', folder, 'machine.json', 'disk.raw'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
    windowsHide: true,
  });
  try {
    const ended = endOf(tar, 'tar could not pack the machine');
    await Promise.all([
      pipeline(tar.stdout, createZstdCompress(), createWriteStream(making, { mode: 0o600, flush: true }), { signal }),
      ended,
    ]);
    await rename(making, file);
  } catch (error) {
    await rm(making, { force: true });
    if (isErrno(error, 'ENOSPC')) throw new MachineError('no-space', `There is no room for ${file}`, { cause: error });
    if (isErrno(error, 'ENOENT'))
      throw new MachineError('invalid-setting', `${file} cannot be written: its folder is not there`, { cause: error });
    throw error;
  }
}

async function unpack(file: string, options: { readonly folder: string; readonly signal: AbortSignal }): Promise<void> {
  const { folder, signal } = options;
  const sparse = process.platform === 'linux' ? [] : ['-S'];
  // Only the two members by name, so that no other path of a foreign archive is ever made.
  const tar = spawn('tar', ['-x', ...sparse, '-f', '-', '-C', folder, 'machine.json', 'disk.raw'], {
    stdio: ['pipe', 'ignore', 'pipe'],
    signal,
    windowsHide: true,
  });
  const ended = endOf(tar, `${file} is no exported machine`);
  const feeding = pipeline(createReadStream(file), createZstdDecompress(), tar.stdin, { signal });
  const [fed, end] = await Promise.allSettled([feeding, ended]);
  if (fed.status === 'rejected' && isErrno(fed.reason, 'ENOENT'))
    throw new MachineError('invalid-setting', `There is no file ${file}`, { cause: fed.reason });
  signal.throwIfAborted();
  if (end.status === 'rejected') throw end.reason;
  if (fed.status === 'rejected')
    throw new MachineError('image-corrupt', `${file} is no exported machine, or it is damaged`, { cause: fed.reason });
}

async function endOf(child: ReturnType<typeof spawn>, failed: string): Promise<void> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new MachineError('image-corrupt', `${failed}: ${said.trim() || `it ended with ${code}`}`);
}

async function readManifest(path: string, file: string): Promise<Manifest> {
  try {
    return manifestSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    throw new MachineError('image-corrupt', `${file} is no exported machine that this Skiff can read`, { cause });
  }
}
