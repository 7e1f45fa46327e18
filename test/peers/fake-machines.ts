/**
 * Machines in memory, for tests of those who use them: typed by the contract, driven by the test. What an operation does
 * besides changing the state is the test's `script`; the engine behind every machine is whatever listens at `engineSocket`.
 *
 *     const machines = new FakeMachines({ engineSocket: engine.path });
 *     machines.script = async (_, operation) => runStep({ step: 'boot', title: 'Starting', operation }, () => booted.promise);
 */
import {
  abilities,
  MachineError,
  type CreateMachine,
  type DriverInfo,
  type Finding,
  type Leftover,
  type Machine,
  type Machines,
  type MachineSettings,
  type MachineSnapshot,
  type MachineState,
  type RemoteCommand,
  type Resized,
  type ShareChange,
  type SnapshotChange,
} from '../../provisioners/machines.ts';
import type { Operation } from '../../provisioners/progress.ts';
import { driverSettings } from '../../provisioners/settings/driver-settings.ts';
import { setting } from '../../provisioners/settings/setting.ts';

const GiB = 2 ** 30;

/** Sizes as a driver for machines of this computer has them. */
const sizes = driverSettings({
  cpus: setting.integer({
    flag: 'cpus', title: 'Processors', help: 'Number of processors', least: 1, most: 64, standard: 2, change: 'restart',
  }),
  memoryBytes: setting.bytes({
    flag: 'memory', title: 'Memory', help: 'Size of its memory (2g)', least: GiB, most: 64 * GiB, standard: 2 * GiB, change: 'restart',
  }),
  diskBytes: setting.bytes({
    flag: 'disk', title: 'Disk', help: 'Size of its disk (20g)', least: GiB, most: 2 ** 44, standard: 32 * GiB, change: 'live',
  }),
}); // prettier-ignore

export type FakeVerb =
  | 'create'
  | 'start'
  | 'ensureRunning'
  | 'stop'
  | 'kill'
  | 'remove'
  | 'pause'
  | 'resume'
  | 'suspend'
  | 'resize'
  | 'upgrade'
  | 'renewKeys'
  | 'snapshot'
  | 'clone'
  | 'export'
  | 'import';

export interface FakeMachinesOptions {
  readonly engineSocket: string;
  readonly serialLogFile?: string;
}

export class FakeMachines implements Machines {
  /** Runs in each operation, after its first state is shown and before its last one. Throwing makes it fail. */
  script: (verb: FakeVerb, operation: Operation, name: string) => Promise<void> = async () => undefined;
  /** What a command says that is run in a machine. */
  shell: (command: string | null, name: string) => Promise<string> = () =>
    Promise.reject(new MachineError('internal', 'The fake machines run no commands.'));
  /** Set to make `list` fail. */
  listError: Error | null = null;
  readonly #options: FakeMachinesOptions;
  readonly #machines = new Map<string, Machine>();
  findings: readonly Finding[] = [];
  /** What machines of earlier days left. */
  left: readonly string[] = [];
  readonly #snapshots = new Map<string, readonly MachineSnapshot[]>();
  readonly #listeners = new Set<() => void>();

  constructor(options: FakeMachinesOptions) {
    this.#options = options;
  }

  /** Of those who watch and have not disposed it. */
  get watchers(): number {
    return this.#listeners.size;
  }

  /** A machine that is there already; by default it runs. */
  add(name: string, change: Partial<Machine> = {}): void {
    this.#put({
      name,
      driver: 'fake',
      state: 'running',
      error: null,
      settings: { cpus: 2, memoryBytes: 2 ** 31, diskBytes: 2 ** 35 },
      abilities: [],
      createdAt: new Date().toISOString(),
      dockerHost: `unix://${this.#options.engineSocket}`,
      dockerSocket: this.#options.engineSocket,
      dockerContext: `skiff-${name}`,
      ssh: null,
      engineVersion: '0.1.0',
      resources: [],
      facts: { accelerator: 'none' },
      agentLogFile: '/nowhere/agent.log',
      engineLogFile: '/var/log/skiffd.log',
      serialLogFile: this.#options.serialLogFile ?? null,
      agent: { connection: 'ready', error: null, forwards: [] },
      ...change,
    });
  }

  /** As another process may: watchers are told. */
  change(name: string, change: Partial<Machine>): void {
    this.#put({ ...this.#get(name), ...change });
  }

  drop(name: string): void {
    this.#machines.delete(name);
    this.#tell();
  }

  async drivers(): Promise<readonly DriverInfo[]> {
    return [
      { name: 'fake', title: 'Fake', unavailable: null, isAutomatic: true, abilities, settings: sizes.fields },
      {
        name: 'absent',
        title: 'Absent',
        unavailable: 'It is not there: install it.',
        isAutomatic: true,
        abilities: [],
        settings: [],
      },
    ];
  }

  async list(): Promise<readonly Machine[]> {
    if (this.listError) throw this.listError;
    return [...this.#machines.values()].toSorted((a, b) => a.name.localeCompare(b.name));
  }

  async inspect(name: string): Promise<Machine> {
    return this.#get(name);
  }

  async create(request: CreateMachine, operation: Operation): Promise<Machine> {
    const before = this.#machines.get(request.name);
    if (before && before.state !== 'create-failed') {
      throw new MachineError('name-taken', `There is a machine named ${request.name} already.`);
    }
    return this.#make('create', request, operation);
  }

  async start(name: string, operation: Operation): Promise<Machine> {
    if (this.#get(name).state === 'running') throw new MachineError('already-running', `${name} is running.`);
    return this.#through({ verb: 'start', name, during: 'starting', after: 'running', operation });
  }

  async ensureRunning(request: CreateMachine, operation: Operation): Promise<Machine> {
    const before = this.#machines.get(request.name);
    if (before?.state === 'running') return before;
    if (!before || before.state === 'create-failed') return this.#make('ensureRunning', request, operation);
    return this.#through({
      verb: 'ensureRunning',
      name: request.name,
      during: 'starting',
      after: 'running',
      operation,
    });
  }

  async stop(name: string, operation: Operation): Promise<Machine> {
    if (this.#get(name).state === 'stopped') throw new MachineError('already-stopped', `${name} is stopped.`);
    return this.#through({ verb: 'stop', name, during: 'stopping', after: 'stopped', operation });
  }

  async kill(name: string, operation: Operation): Promise<Machine> {
    return this.#through({ verb: 'kill', name, during: 'stopping', after: 'stopped', operation });
  }

  async remove(name: string, operation: Operation): Promise<void> {
    await this.#through({ verb: 'remove', name, during: 'removing', after: 'removing', operation });
    this.drop(name);
  }

  async pause(name: string, operation: Operation): Promise<Machine> {
    return this.#through({ verb: 'pause', name, during: 'running', after: 'paused', operation });
  }

  async resume(name: string, operation: Operation): Promise<Machine> {
    return this.#through({ verb: 'resume', name, during: 'paused', after: 'running', operation });
  }

  async suspend(name: string, operation: Operation): Promise<Machine> {
    return this.#through({ verb: 'suspend', name, during: 'stopping', after: 'suspended', operation });
  }

  async share(name: string, { add, remove }: ShareChange): Promise<Machine> {
    const { settings } = this.#get(name);
    const before = Array.isArray(settings['shares']) ? settings['shares'].map(String) : [];
    this.change(name, {
      settings: { ...settings, shares: [...before.filter((folder) => !remove.includes(folder)), ...add] },
    });
    return await Promise.resolve(this.#get(name));
  }

  async resize(name: string, settings: MachineSettings, operation: Operation): Promise<Resized> {
    const { state } = this.#get(name);
    await this.#through({ verb: 'resize', name, during: state, after: state, operation });
    this.change(name, { settings: { ...this.#get(name).settings, ...settings } });
    const waiting = Object.keys(settings).filter((key) => state === 'running' && key !== 'diskBytes');
    return { machine: this.#get(name), waiting };
  }

  async snapshots(name: string): Promise<readonly MachineSnapshot[]> {
    this.#get(name);
    return this.#snapshots.get(name) ?? [];
  }

  async changeSnapshot(name: string, change: SnapshotChange, operation: Operation): Promise<void> {
    const { verb, snapshot } = change;
    await this.#through({ verb: 'snapshot', name, during: 'stopped', after: 'stopped', operation });
    const others = (await this.snapshots(name)).filter((known) => known.name !== snapshot);
    const taken = { name: snapshot, createdAt: '2026-01-02T03:04:05.000Z', sizeBytes: GiB };
    if (verb !== 'restore') this.#snapshots.set(name, verb === 'take' ? [...others, taken] : others);
  }

  async clone(name: string, copy: string, operation: Operation): Promise<Machine> {
    await this.#through({ verb: 'clone', name, during: 'stopped', after: 'stopped', operation });
    this.add(copy, { state: 'stopped' });
    return this.#get(copy);
  }

  async export(name: string, _file: string, operation: Operation): Promise<void> {
    await this.#through({ verb: 'export', name, during: 'stopped', after: 'stopped', operation });
  }

  async import(name: string, _file: string, operation: Operation): Promise<Machine> {
    this.add(name, { state: 'stopped' });
    return this.#through({ verb: 'import', name, during: 'creating', after: 'stopped', operation });
  }

  async upgrade(name: string, operation: Operation): Promise<Machine> {
    return this.#through({ verb: 'upgrade', name, during: 'starting', after: 'running', operation });
  }

  async renewKeys(name: string, operation: Operation): Promise<Machine> {
    const { state } = this.#get(name);
    return this.#through({ verb: 'renewKeys', name, during: state, after: state, operation });
  }

  async examine(): Promise<readonly Finding[]> {
    return this.findings;
  }

  async leftovers(): Promise<readonly Leftover[]> {
    return this.left.map((title) => ({
      title,
      sizeBytes: null,
      cost: null,
      remove: () => {
        this.left = this.left.filter((other) => other !== title);
        return Promise.resolve();
      },
    }));
  }

  async ip(name: string): Promise<string> {
    this.#get(name);
    return '127.0.0.1';
  }

  watch(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  async run(name: string, command: RemoteCommand): Promise<{ readonly exitCode: number; readonly signal: null }> {
    this.#get(name);
    command.stdout.write(await this.shell(command.command, name));
    return { exitCode: 0, signal: null };
  }

  async #make(verb: FakeVerb, { name, driver, settings }: CreateMachine, operation: Operation): Promise<Machine> {
    if (driver !== undefined && driver !== 'fake') {
      throw new MachineError('no-such-driver', `There is no driver named ${driver}.`);
    }
    const defaults = { cpus: 2, memoryBytes: 2 ** 31, diskBytes: 2 ** 35 };
    this.add(name, { state: 'creating', engineVersion: null, agent: null, settings: { ...defaults, ...settings } });
    try {
      await this.script(verb, operation, name);
      operation.signal.throwIfAborted();
    } catch (error) {
      this.change(name, { state: 'create-failed', error: error instanceof Error ? error.message : String(error) });
      throw error;
    }
    this.change(name, {
      state: 'running',
      engineVersion: '0.1.0',
      agent: { connection: 'ready', error: null, forwards: [] },
    });
    return this.#get(name);
  }

  async #through(change: {
    readonly verb: FakeVerb;
    readonly name: string;
    readonly during: MachineState;
    readonly after: MachineState;
    readonly operation: Operation;
  }): Promise<Machine> {
    const { verb, name, during, after, operation } = change;
    const before = this.#get(name);
    this.change(name, { state: during });
    try {
      await this.script(verb, operation, name);
      operation.signal.throwIfAborted();
    } catch (error) {
      this.change(name, { state: before.state });
      throw error;
    }
    const agent = after === 'running' ? ({ connection: 'ready', error: null, forwards: [] } as const) : null;
    this.change(name, { state: after, agent });
    return this.#get(name);
  }

  #get(name: string): Machine {
    const machine = this.#machines.get(name);
    if (!machine) throw new MachineError('no-such-machine', `There is no machine named ${name}.`);
    return machine;
  }

  #put(machine: Machine): void {
    this.#machines.set(machine.name, machine);
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
