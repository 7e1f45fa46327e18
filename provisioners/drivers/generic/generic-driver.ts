import { connect } from 'node:net';
import { z } from 'zod';
import { refuseWhatCannotWork } from '../../deploy/host/host-facts.ts';
import type { HostPlace } from '../../deploy/host/host-place.ts';
import { hostPlace } from '../../deploy/host/host-place.ts';
import { lookAtHost, refuseOtherOwner } from '../../deploy/host/prepare-host.ts';
import { readAgent } from '../../host-agent/agent-state.ts';
import type { Line } from '../../line/line.ts';
import { asRoot } from '../../line/root-line.ts';
import { openLine } from '../../machines/machine-keys.ts';
import { MachineError } from '../../machines.ts';
import { SshRefusal } from '../../ssh/ssh-error.ts';
import type {
  Access,
  Driver,
  DriverCapabilities,
  DriverMachine,
  DriverRun,
  DriverState,
  DriverStateQuery,
  HostRole,
  RootRights,
  SshAccess,
} from '../driver.ts';
import type { HostEngine } from '../host/host-engine.ts';
import { removeHostEngine, stopHostEngine } from '../host/host-engine.ts';
import { addAuthorizedKey, removeAuthorizedKey } from './authorized-key.ts';
import { logInFirst } from './first-login.ts';
import { genericSettings } from './generic-settings.ts';

const jumpSchema = z.object({ host: z.string(), port: z.int(), user: z.string(), hostKey: z.string() });
const memorySchema = z.object({
  isOn: z.boolean(),
  access: z.object({
    kind: z.literal('ssh'),
    host: z.string(),
    port: z.int(),
    user: z.string(),
    hostKey: z.string(),
    jumps: z.array(jumpSchema),
  }),
});

/** How long a host may take to take a connection before it counts as one that cannot be reached. */
const probeTimeoutMs = 5_000;

/** Any Linux host with an SSH server. The system on it is the user's: only the engine and one line of authorized_keys are ours. */
export class GenericDriver implements Driver {
  readonly name = 'generic';
  readonly title = 'A host by SSH';
  readonly capabilities: DriverCapabilities = { system: 'existing-system', place: 'elsewhere', console: 'none' };
  readonly settings = genericSettings;
  readonly host: HostRole = {
    place: (machine) => placeOf(machine),
    rights: (machine) => rightsOf(machine, readMemory(machine.memory)?.access.user ?? 'root'),
    takesOver: (machine) => genericSettings.resolve(machine.settings).isAdopting,
  };
  readonly #environment: Readonly<Record<string, string | undefined>>;

  constructor(options: { readonly environment?: Readonly<Record<string, string | undefined>> } = {}) {
    this.#environment = options.environment ?? process.env;
  }

  availability(): Promise<string | null> {
    return Promise.resolve(null);
  }

  async preCreateCheck(machine: DriverMachine, run: DriverRun): Promise<void> {
    const settings = genericSettings.resolve(machine.settings);
    await using login = await logInFirst(settings, { environment: this.#environment, signal: run.signal });
    const rootLine = asRoot(login.connection, rightsOf(machine, login.access.user));
    const found = await lookAtHost(rootLine, { place: placeOf(machine), signal: run.signal });
    refuseWhatCannotWork(found);
    if (!settings.isAdopting) refuseOtherOwner(found, machine.id);
  }

  async create(machine: DriverMachine, run: DriverRun): Promise<void> {
    const { resources, keys, id } = machine;
    const isMade = (key: string): boolean => resources.all.some((one) => one.key === key && one.state === 'made');
    if (readMemory(machine.memory) !== null && isMade('login')) return;
    const settings = genericSettings.resolve(machine.settings);
    await using login = await logInFirst(settings, { environment: this.#environment, signal: run.signal });
    await machine.remember({ isOn: false, access: login.access }, { host: login.access.host, user: login.access.user });
    await resources.put({ key: 'engine', title: 'Engine', tag: id, state: 'asked', id: null });
    const tag = keyTag(machine);
    const key = { key: 'login', title: 'Line in authorized_keys', tag } as const;
    await resources.put({ ...key, state: 'asked', id: null });
    await addAuthorizedKey(login.connection, { publicKey: keys.identity.publicKey, tag, signal: run.signal });
    await resources.put({ ...key, state: 'made', id: tag });
  }

  async start(machine: DriverMachine, run: DriverRun): Promise<void> {
    run.signal.throwIfAborted();
    const memory = readMemory(machine.memory);
    if (memory === null) throw new MachineError('internal', `Machine "${machine.name}" was never logged into`);
    await probe(memory.access, run.signal);
    await machine.remember({ ...memory, isOn: true });
  }

  async stop(machine: DriverMachine, run: DriverRun): Promise<void> {
    await this.#end(machine, run, 'stop');
  }

  async kill(machine: DriverMachine, run: DriverRun): Promise<void> {
    await this.#end(machine, run, 'kill');
  }

  async remove(machine: DriverMachine, run: DriverRun): Promise<void> {
    const { resources } = machine;
    if (resources.all.length === 0) return;
    const isThere = (key: string): boolean => resources.all.some((resource) => resource.key === key);
    await using line = await this.#openToRemove(machine, run);
    if (isThere('engine')) {
      await removeHostEngine(hostOf(machine, line, run.signal));
      await resources.drop('engine');
    }
    if (isThere('login')) {
      await removeAuthorizedKey(line, { tag: keyTag(machine), signal: run.signal });
      await resources.drop('login');
    }
    await machine.remember({});
  }

  /** Cheap where an agent holds the line anyway; else a connection is tried, and who cannot be reached is an error. */
  async state(machine: DriverStateQuery): Promise<DriverState> {
    const memory = readMemory(machine.memory);
    if (memory === null) return 'absent';
    if (!memory.isOn) return 'stopped';
    if ((await readAgent(machine.paths))?.state.connection !== 'ready') await probe(memory.access);
    return 'running';
  }

  access(machine: DriverStateQuery): Promise<Access | null> {
    const memory = readMemory(machine.memory);
    return Promise.resolve(memory?.isOn === true ? memory.access : null);
  }

  async #end(machine: DriverMachine, run: DriverRun, how: 'stop' | 'kill'): Promise<void> {
    const memory = readMemory(machine.memory);
    if (memory === null || !memory.isOn) return;
    await using line = await openLine(memory.access, { keys: machine.keys, signal: run.signal, deadlineMs: 20_000 });
    await stopHostEngine(hostOf(machine, line, run.signal), { how });
    await machine.remember({ ...memory, isOn: false });
  }

  /** A creation that ended before the machine's own key was there is undone with what it was begun with. */
  async #openToRemove(machine: DriverMachine, run: DriverRun): Promise<Line> {
    const { signal } = run;
    const memory = readMemory(machine.memory);
    const settings = genericSettings.resolve(machine.settings);
    const isOurs = machine.resources.all.some(({ key, state }) => key === 'login' && state === 'made');
    if (memory !== null && isOurs) {
      try {
        return await openLine(memory.access, { keys: machine.keys, signal, deadlineMs: 20_000 });
      } catch (error) {
        if (!(error instanceof SshRefusal)) throw error;
      }
    }
    return (await logInFirst(settings, { environment: this.#environment, signal })).connection;
  }
}

function hostOf(machine: DriverMachine, line: Line, signal: AbortSignal): HostEngine {
  const user = readMemory(machine.memory)?.access.user ?? 'root';
  return {
    line,
    rootLine: asRoot(line, rightsOf(machine, user)),
    place: placeOf(machine),
    machineId: machine.id,
    signal,
  };
}

function placeOf(machine: DriverStateQuery): HostPlace {
  return hostPlace(genericSettings.resolve(machine.settings).prefix ?? '');
}

function rightsOf(machine: DriverMachine, user: string): RootRights {
  if (user === 'root') return { kind: 'root' };
  return { kind: 'sudo', password: genericSettings.resolve(machine.settings).sudoPassword ?? null };
}

function keyTag(machine: Pick<DriverMachine, 'id'>): string {
  return `skiff-machine-${machine.id}`;
}

function readMemory(memory: Readonly<Record<string, unknown>>): z.infer<typeof memorySchema> | null {
  const parsed = memorySchema.safeParse(memory);
  return parsed.success ? parsed.data : null;
}

/** Only whether something takes connections there; behind hosts on the way nobody can tell without logging in. */
async function probe(access: SshAccess, signal?: AbortSignal): Promise<void> {
  if (access.jumps.length > 0) return;
  const { host, port } = access;
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ host, port });
    const fail = (why: string): void => {
      socket.destroy();
      reject(new MachineError('ssh-failed', `The host ${host}:${port} cannot be reached: ${why}`));
    };
    const onAbort = (): void => {
      socket.destroy();
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.setTimeout(probeTimeoutMs, () => fail(`no answer within ${probeTimeoutMs / 1000} s`));
    socket.once('error', (error) => fail(error.message));
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('close', () => signal?.removeEventListener('abort', onAbort));
  });
}
