import { resolve } from 'node:path';
import { EngineClient } from '../../client/engine-client.ts';
import { unixSocketDialer } from '../../client/dial.ts';
import { imageLayout } from '../deploy/machine-layout.ts';
import type { DriverState } from '../drivers/driver.ts';
import { abilitiesOf } from '../drivers/driver.ts';
import { openDrivers } from '../drivers/drivers.ts';
import type { Computer } from '../drivers/vm/find-program.ts';
import { thisComputer } from '../drivers/vm/find-program.ts';
import { readAgent } from '../host-agent/agent-state.ts';
import { cacheFolder } from '../machine-image/cache.ts';
import type { ImageSource, MachineImage } from '../machine-image/machine-image.ts';
import { ensureMachineImage } from '../machine-image/machine-image.ts';
import type { CreateMachine, DriverInfo, Machine, Machines, RemoteCommand } from '../machines.ts';
import { MachineError } from '../machines.ts';
import type { Operation } from '../progress.ts';
import { runStep } from '../progress.ts';
import type { Keychain } from '../secrets/kept-secrets.ts';
import { KeptSecrets } from '../secrets/kept-secrets.ts';
import { environmentSecrets } from '../settings/driver-settings.ts';
import { skiffHome } from '../store/home.ts';
import { parseMachineName } from '../store/machine-name.ts';
import { MachineStore } from '../store/machine-store.ts';
import { readImageSource } from '../store/settings.ts';
import type { AgentProgram } from './agent-process.ts';
import { endAgent, ownAgentProgram } from './agent-process.ts';
import { bringUp, connectComputer } from './bring-up.ts';
import { cachedLeftovers, isImageInUse } from './cached-leftovers.ts';
import { createMachine, provideContext } from './create-machine.ts';
import { dockerContexts } from './docker-context.ts';
import type { EngineSource } from './engine-source.ts';
import { openRelease, openRuntime, ownCheckout } from './engine-source.ts';
import { openLine, readKeys } from './machine-keys.ts';
import { MachineChanges, noSuchMachine, notComplete } from './machine-changes.ts';
import type { MachineSession } from './machine-session.ts';
import { viewMachine } from './machine-view.ts';
import { removeMachine } from './remove-machine.ts';
import { stopMachine } from './stop-machine.ts';
import { watchStore } from './watch-store.ts';

export interface OpenMachines {
  /** Default: `$SKIFF_HOME`, else `~/.skiff`. */
  readonly home?: string;
  /** Default: `$SKIFF_CACHE`, else the user's cache folder. */
  readonly cacheDir?: string;
  /** Default: process.env. `SKIFF_HOME`, `SKIFF_CACHE` and `DOCKER_CONFIG` are read from it. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** What machines are made on; default: this computer. */
  readonly computer?: Pick<Computer, 'platform' | 'arch'>;
  /** Default: what `<home>/settings.json` says, else built from the checkout. */
  readonly image?: ImageSource;
  /** Default: the checkout that this code lies in. */
  readonly engine?: EngineSource;
  /** Default: `host-agent/main.ts` beside this code, run by this process's own program. */
  readonly hostAgent?: AgentProgram;
  /** Where secrets go that people ask to keep; default: none, they go into files. */
  readonly keychain?: Keychain | null;
}

/** Opens the machines of this computer's user; see machines.ts for what they do. Nothing is made until it is needed. */
export function openMachines(options: OpenMachines = {}): Machines {
  return new LocalMachines(options);
}

class LocalMachines extends MachineChanges implements Machines {
  constructor(options: OpenMachines) {
    const environment = options.environment ?? process.env;
    const home = resolve(options.home ?? skiffHome({ environment }));
    const cacheDir = resolve(options.cacheDir ?? cacheFolder({ environment }));
    const store = new MachineStore(home);
    const computer: Computer = { ...thisComputer(), ...options.computer, environment };
    const isArm = computer.arch === 'arm64';
    const engine = options.engine ?? ownCheckout();
    const keptSecrets = new KeptSecrets(options.keychain ?? null);
    super({
      home,
      store,
      drivers: openDrivers(store.paths, computer),
      contexts: dockerContexts(environment),
      agent: options.hostAgent ?? ownAgentProgram(),
      layout: imageLayout,
      openImage: async (operation) => {
        const source = options.image ?? (await readImageSource(home));
        const isInUse = (folder: string): Promise<boolean> => isImageInUse(store, folder);
        return await ensureMachineImage({ arch: isArm ? 'arm64' : 'amd64', cacheDir, source, isInUse }, operation);
      },
      cached: () => cachedLeftovers({ store, cacheDir }),
      openRelease: () => openRelease(engine, { cacheDir, arch: isArm ? 'arm64' : 'x64' }),
      secretsOf: async (driver, paths) => ({
        ...(await keptSecrets.read(paths)),
        ...environmentSecrets(driver.settings.fields, environment),
      }),
      keptSecrets,
      openRuntime: () => openRuntime(engine, { cacheDir, arch: isArm ? 'arm64' : 'amd64' }),
    });
  }

  async drivers(): Promise<readonly DriverInfo[]> {
    const drivers = [...this.context.drivers.values()];
    return Promise.all(
      drivers.map(async (driver) => ({
        name: driver.name,
        title: driver.title,
        unavailable: await driver.availability(),
        isAutomatic: driver.capabilities.system === 'skiff-image',
        abilities: abilitiesOf(driver),
        settings: driver.settings.fields,
      })),
    );
  }

  async list(options: { readonly patienceMs?: number } = {}): Promise<readonly Machine[]> {
    const names = await this.context.store.names();
    const { patienceMs } = options;
    const views = await Promise.all(names.map((name) => viewMachine({ ...this.context, name, patienceMs })));
    return views.filter((view) => view !== null);
  }

  async inspect(name: string): Promise<Machine> {
    return this.view(parseMachineName(name));
  }

  async create(request: CreateMachine, operation: Operation): Promise<Machine> {
    const name = parseMachineName(request.name);
    {
      await using _lock = await this.context.store.lock(name, 'create');
      await createMachine(this.context, { ...request, name }, operation);
    }
    return this.view(name);
  }

  async start(text: string, operation: Operation): Promise<Machine> {
    const name = parseMachineName(text);
    {
      await using _lock = await this.context.store.lock(name, 'start');
      const session = await this.session(name);
      if ((await this.#stateOf(session)) === 'running' && (await readAgent(session.paths)) !== null) {
        throw new MachineError('already-running', `Machine "${name}" is already running`);
      }
      await this.#start(session, operation);
    }
    return this.view(name);
  }

  async ensureRunning(request: CreateMachine, operation: Operation): Promise<Machine> {
    const name = parseMachineName(request.name);
    const document = await this.context.store.read(name);
    if (document === null || document.lifecycle.phase === 'creating') return this.create(request, operation);
    if (await this.#isComplete(await this.session(name), operation, 'unlocked')) return this.view(name);
    {
      await using _lock = await this.context.store.lock(name, 'start');
      const session = await this.session(name);
      // Often only the agent was killed; then neither image nor login is needed.
      if (await this.#isCurrent(session)) {
        await runStep({ step: 'host-agent', title: 'Connecting this computer to the engine', operation }, () =>
          connectComputer({ ...this.context, session, operation }),
        );
      }
      if (!(await this.#isComplete(session, operation))) await this.#start(session, operation);
    }
    return this.view(name);
  }

  async stop(text: string, operation: Operation, options: { readonly graceMs?: number } = {}): Promise<Machine> {
    return this.#end(text, { verb: 'stop', graceMs: options.graceMs ?? 30_000, operation });
  }

  async kill(text: string, operation: Operation): Promise<Machine> {
    return this.#end(text, { verb: 'kill', graceMs: 0, operation });
  }

  async remove(text: string, operation: Operation, options: { readonly isForced?: boolean } = {}): Promise<void> {
    const name = parseMachineName(text);
    if (!(await this.context.store.names()).includes(name)) throw noSuchMachine(name);
    await using _lock = await this.context.store.lock(name, 'remove');
    const trouble = await runStep({ step: 'remove', title: 'Removing the machine', operation }, () =>
      removeMachine(this.context, { name, operation, isForced: options.isForced ?? false }),
    );
    if (trouble !== null) throw forgotten(name, trouble);
  }

  async ip(name: string): Promise<string> {
    const { ssh } = await this.inspect(name);
    if (ssh === null) throw notRunning(name);
    return ssh.host;
  }

  async upgrade(text: string, operation: Operation, options: { readonly isThorough?: boolean } = {}): Promise<Machine> {
    const name = parseMachineName(text);
    {
      await using _lock = await this.context.store.lock(name, 'start');
      const session = await this.session(name);
      const isDone = options.isThorough !== true && (await this.#isComplete(session, operation));
      if (!isDone) await this.#start(session, operation, options);
    }
    return this.view(name);
  }

  watch(listener: () => void): Disposable {
    return watchStore(this.context.store.paths, listener);
  }

  async run(
    text: string,
    command: RemoteCommand,
  ): Promise<{ readonly exitCode: number; readonly signal: string | null }> {
    const name = parseMachineName(text);
    const session = await this.session(name);
    const access = await session.driver.access(session.query);
    if (access === null) throw notRunning(name);
    const keys = await readKeys(session.paths);
    await using line = await openLine(access, { keys, signal: command.signal, deadlineMs: 30_000 });
    return await line.exec(command);
  }

  async #end(
    text: string,
    how: { readonly verb: 'stop' | 'kill'; readonly graceMs: number; readonly operation: Operation },
  ): Promise<Machine> {
    const name = parseMachineName(text);
    const { verb, graceMs, operation } = how;
    {
      await using _lock = await this.context.store.lock(name, verb);
      const session = await this.session(name);
      const state = await this.#stateOf(session);
      // A suspended one can be ended too: its memory goes.
      if (state === 'stopped' || state === 'absent' || (state === 'suspended' && verb === 'stop')) {
        await endAgent(session.paths);
        throw new MachineError('already-stopped', `Machine "${name}" is already stopped`);
      }
      const title = verb === 'stop' ? 'Stopping the machine' : 'Ending the machine';
      await runStep({ step: verb, title, operation }, (tell) =>
        stopMachine(session, { verb, graceMs, run: { tell, signal: operation.signal } }),
      );
    }
    return this.view(name);
  }

  async #start(
    session: MachineSession,
    operation: Operation,
    options: { readonly isThorough?: boolean } = {},
  ): Promise<void> {
    if (session.document.lifecycle.phase !== 'ready') throw notComplete(session);
    const release = this.context.openRelease();
    // It is awaited only after the boot; should it fail before that, the failure is told there.
    release.catch(() => undefined);
    const image = await this.#image(session, operation);
    const keys = await readKeys(session.paths);
    const onDone = (): Promise<void> => Promise.resolve();
    await bringUp({ ...this.context, ...options, session, keys, image, release, operation, onDone });
    // A machine that came here as a copy has none yet.
    if (session.document.dockerContext === null) await provideContext(this.context, session);
  }

  async #image(session: MachineSession, operation: Operation): Promise<MachineImage | null> {
    return session.driver.capabilities.system === 'skiff-image' ? this.context.openImage(operation) : null;
  }

  /** Runs, with its agent, and the engine that this computer has answers: nothing is left to do. */
  async #isComplete(
    session: MachineSession,
    operation: Operation,
    asked: 'locked' | 'unlocked' = 'locked',
  ): Promise<boolean> {
    const { name, paths } = session;
    const agent = await readAgent(paths);
    if (agent?.state.connection !== 'ready') return false;
    if (asked === 'unlocked' && (await this.context.store.lockHolder(name)) !== null) return false;
    if (!(await this.#isCurrent(session))) return false;
    using engine = new EngineClient(unixSocketDialer(paths.dockerSocket), { timeoutMs: 5_000 });
    try {
      await engine.ping({ signal: operation.signal });
      return true;
    } catch {
      operation.signal.throwIfAborted();
      return false;
    }
  }

  /** The machine runs with the engine that this computer would deploy. */
  async #isCurrent(session: MachineSession): Promise<boolean> {
    if ((await this.#stateOf(session)) !== 'running') return false;
    const { digest } = await this.context.openRelease();
    return session.document.engine?.digest === digest;
  }

  async #stateOf(session: MachineSession): Promise<DriverState> {
    return session.driver.state(session.query);
  }
}

function forgotten(name: string, cause: unknown): MachineError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new MachineError(
    'internal',
    `Machine "${name}" is forgotten here, but what its driver made may be there still: ${why}`,
    { cause },
  );
}

function notRunning(name: string): MachineError {
  return new MachineError(
    'not-running',
    `Machine "${name}" is not running; start it with \`skiff machine start ${name}\``,
  );
}
