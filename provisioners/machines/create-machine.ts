import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import type { Driver } from '../drivers/driver.ts';
import type { CreateMachine } from '../machines.ts';
import { MachineError } from '../machines.ts';
import type { Operation } from '../progress.ts';
import { runStep } from '../progress.ts';
import { lastingSecrets, storedSettings } from '../settings/driver-settings.ts';
import { isErrno, makePrivateFolder } from '../store/atomic-file.ts';
import { dockerHost } from '../store/home.ts';
import type { CreateStep, MachineDocument } from '../store/machine-document.ts';
import { documentVersion } from '../store/machine-document.ts';
import type { MachineName } from '../store/machine-name.ts';
import { endAgent } from './agent-process.ts';
import { bringUp } from './bring-up.ts';
import { keysIfThere, provideKeys, withoutKeys } from './machine-keys.ts';
import { assertShareable } from '../shares/share.ts';
import { sharesOf } from '../shares/share-setting.ts';
import { MachineSession, quietRun } from './machine-session.ts';
import type { MachinesContext } from './machines-context.ts';

/**
 * Makes a machine as a journal of steps: the document is written first, each step is noted when what it made is durable,
 * and every step finds what an earlier try has made. So a creation that fails or is cut off is repeated by calling this again,
 * and removed like any machine. The caller holds the lock.
 */
export async function createMachine(
  context: MachinesContext,
  request: CreateMachine & { readonly name: MachineName },
  operation: Operation,
): Promise<void> {
  const existing = await context.store.read(request.name);
  const session =
    existing === null ? await begin(context, request, operation) : await resume(context, request, existing);
  if (request.keepsSecrets === true) await keepSecrets(context, session);
  const done = new Set<CreateStep>();
  const note = async (step: CreateStep): Promise<void> => {
    done.add(step);
    await session.change({ lifecycle: { phase: 'creating', done: [...done], error: null } });
  };
  // Bundling takes a processor for a moment; it goes on beside the image and the boot.
  const release = context.openRelease();
  release.catch(() => undefined);
  try {
    const keys = await provideKeys(session.paths, session.name);
    await note('keys');
    const image = session.driver.capabilities.system === 'skiff-image' ? await context.openImage(operation) : null;
    await note('image');
    const machine = session.driverMachine({ keys, image });
    await runStep({ step: 'make-machine', title: 'Making the machine', operation }, (tell) =>
      session.driver.create(machine, { tell, signal: operation.signal }),
    );
    await note('driver');
    await bringUp({ ...context, session, keys, image, release, operation, onDone: note });
    await provideContext(context, session);
    await note('context');
    await session.change({ lifecycle: { phase: 'ready' } });
  } catch (error) {
    await giveUp(session, { done: [...done], error, operation });
    throw operation.signal.aborted && !(error instanceof MachineError)
      ? new MachineError(
          'aborted',
          `The creation of machine "${session.name}" was interrupted; create it again to go on, or remove it`,
          { cause: error },
        )
      : error;
  }
}

/** Those that later operations need; the facts say where they are. */
async function keepSecrets({ keptSecrets }: MachinesContext, session: MachineSession): Promise<void> {
  const { paths, document, driver, secrets } = session;
  const lasting = lastingSecrets(driver.settings.fields, secrets);
  if (Object.keys(lasting).length === 0) return;
  await session.addFacts({ 'secrets kept in': await keptSecrets.keep({ id: document.id, paths }, lasting) });
}

async function begin(
  context: MachinesContext,
  request: CreateMachine & { readonly name: MachineName },
  operation: Operation,
): Promise<MachineSession> {
  const { store } = context;
  const { name } = request;
  const twin = (await machineFolders(store.paths.machines)).find(
    (other) => other !== name && other.toLowerCase() === name.toLowerCase(),
  );
  // Two such folders are one on the file systems of macOS and Windows.
  if (twin !== undefined)
    throw new MachineError('name-taken', `There is a machine "${twin}" already; names must differ in more than case`);
  const driver = await chooseDriver(context, request.driver);
  const resolved = driver.settings.resolve(request.settings);
  const document: MachineDocument = {
    version: documentVersion,
    id: randomBytes(16).toString('hex'),
    name,
    driver: driver.name,
    createdAt: new Date().toISOString(),
    settings: storedSettings(driver.settings.fields, { ...resolved }),
    lifecycle: { phase: 'creating', done: [], error: null },
    driverMemory: {},
    facts: {},
    resources: [],
    engine: null,
    dockerContext: null,
  };
  for (const share of sharesOf(driver, document.settings)) assertShareable(share);
  const session = new MachineSession({ store, driver, name, document, secrets: { ...resolved } });
  await makePrivateFolder(store.paths.machines);
  await driver.preCreateCheck(session.driverMachine(withoutKeys), quietRun(operation));
  await store.makeFolders(name);
  await store.write(name, document);
  return session;
}

async function resume(
  context: MachinesContext,
  request: CreateMachine & { readonly name: MachineName },
  document: MachineDocument,
): Promise<MachineSession> {
  const { name } = request;
  const { lifecycle } = document;
  if (lifecycle.phase === 'ready') throw new MachineError('name-taken', `There is a machine "${name}" already`);
  if (lifecycle.phase === 'removing')
    throw new MachineError('name-taken', `Machine "${name}" was not wholly removed; remove it again first`);
  const driver = context.drivers.get(document.driver);
  if (driver === undefined || (request.driver !== undefined && request.driver !== document.driver)) {
    throw new MachineError(
      'name-taken',
      `Machine "${name}" is half made with the driver "${document.driver}"; create it with that one, or remove it first`,
    );
  }
  const asked = Object.values(request.settings).some((value) => value !== undefined);
  const kept = await context.secretsOf(driver, context.store.machine(name));
  if (!asked) return new MachineSession({ store: context.store, driver, name, document, secrets: kept });
  // What was asked for now counts; a disk that is there already only grows.
  const resolved = { ...driver.settings.resolve({ ...document.settings, ...request.settings }) };
  const settings = storedSettings(driver.settings.fields, resolved);
  return new MachineSession({
    store: context.store,
    driver,
    name,
    document: { ...document, settings },
    secrets: { ...kept, ...resolved },
  });
}

async function chooseDriver(context: MachinesContext, wanted: string | undefined): Promise<Driver> {
  if (wanted !== undefined) {
    const driver = context.drivers.get(wanted);
    if (driver === undefined) {
      const names = [...context.drivers.keys()].join(', ');
      throw new MachineError('no-such-driver', `There is no driver "${wanted}"; there are: ${names}`);
    }
    const why = await driver.availability();
    if (why !== null) throw new MachineError('driver-unavailable', why);
    return driver;
  }
  const reasons: string[] = [];
  for (const driver of context.drivers.values()) {
    // A host that is not ours is never chosen for the user.
    if (driver.capabilities.system !== 'skiff-image') continue;
    const why = await driver.availability();
    if (why === null) return driver;
    reasons.push(why);
  }
  throw new MachineError('driver-unavailable', `No driver can make a machine on this computer. ${reasons.join(' ')}`);
}

/** Lets a docker CLI find the machine by name; when it cannot, the facts say why and all else works. */
export async function provideContext(context: MachinesContext, session: MachineSession): Promise<void> {
  const { name, paths } = session;
  try {
    const dockerContext = await context.contexts.provide({
      name,
      folder: paths.folder,
      dockerHost: dockerHost(paths.dockerSocket),
    });
    await session.change({ dockerContext });
    if (dockerContext === null)
      await session.addFacts({
        'docker context': "one of that name exists that is not this machine's; it was left alone",
      });
  } catch (error) {
    await session.addFacts({
      'docker context': `could not be written: ${error instanceof Error ? error.message : String(error)}`,
    });
  }
}

/** Notes what went wrong, and leaves no process of a machine that nobody can use yet. */
async function giveUp(
  session: MachineSession,
  outcome: { readonly done: readonly CreateStep[]; readonly error: unknown; readonly operation: Operation },
): Promise<void> {
  const { done, error } = outcome;
  const message = error instanceof Error ? error.message : String(error);
  await session.change({ lifecycle: { phase: 'creating', done, error: message } });
  const machine = session.driverMachine(await keysIfThere(session.paths));
  // The operation's own signal may be what ended it.
  await session.driver.kill(machine, { tell: () => undefined, signal: AbortSignal.timeout(30_000) });
  await endAgent(session.paths);
}

async function machineFolders(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
