import { existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { refuseWhatCannotWork } from '../../deploy/host/host-facts.ts';
import type { HostPlace } from '../../deploy/host/host-place.ts';
import { hostPlace } from '../../deploy/host/host-place.ts';
import { lookAtHost, refuseOtherOwner } from '../../deploy/host/prepare-host.ts';
import { LocalLine } from '../../line/local-line.ts';
import { asRoot } from '../../line/root-line.ts';
import { MachineError } from '../../machines.ts';
import { driverSettings } from '../../settings/driver-settings.ts';
import { setting } from '../../settings/setting.ts';
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
} from '../driver.ts';
import type { Computer } from '../vm/find-program.ts';
import { thisComputer } from '../vm/find-program.ts';
import type { HostEngine } from '../host/host-engine.ts';
import { removeHostEngine, stopHostEngine } from '../host/host-engine.ts';

const localSettings = driverSettings({
  prefix: setting.optional({
    kind: 'path',
    flag: 'local-prefix',
    title: 'Folder',
    help: 'Folder below which all of the engine lies, started by Skiff alone (default: /, started at boot)',
    environment: ['LOCAL_PREFIX'],
  }),
  isAdopting: setting.switch({
    flag: 'local-adopt',
    title: 'Take over',
    help: 'Take over the engine of another machine that is here already (its own may be lost)',
  }),
  sudoPassword: setting.secret({
    flag: 'sudo-password',
    isLasting: true,
    title: 'Password for sudo',
    help: 'Password that sudo asks for; better given by the environment, where other users cannot read it',
    environment: ['SKIFF_SUDO_PASSWORD'],
  }),
});

const memorySchema = z.object({ isOn: z.boolean() });

/** The engine on this Linux computer itself: no machine in between, its containers see this computer's kernel and processors. */
export class LocalDriver implements Driver {
  readonly name: string = 'local';
  readonly title = 'This computer';
  readonly capabilities: DriverCapabilities = { system: 'existing-system', place: 'elsewhere', console: 'none' };
  readonly settings = localSettings;
  readonly host: HostRole = {
    place: (machine) => placeOf(machine),
    rights: (machine) => rightsOf(machine),
    takesOver: (machine) => localSettings.resolve(machine.settings).isAdopting,
  };
  readonly #platform: NodeJS.Platform;

  constructor({ platform }: Pick<Computer, 'platform'> = thisComputer()) {
    this.#platform = platform;
  }

  availability(): Promise<string | null> {
    if (this.#platform !== 'linux')
      return Promise.resolve('The engine runs on Linux; on this computer it needs a machine: choose another driver');
    const canBeRoot = process.getuid?.() === 0 || existsSync('/usr/bin/sudo');
    return Promise.resolve(canBeRoot ? null : 'This user is not root and there is no sudo');
  }

  async preCreateCheck(machine: DriverMachine, run: DriverRun): Promise<void> {
    const { prefix, isAdopting } = localSettings.resolve(machine.settings);
    if (prefix !== undefined && !isAbsolute(prefix))
      throw new MachineError('invalid-setting', `--local-prefix must be an absolute path, not "${prefix}"`);
    await using line = new LocalLine();
    const rootLine = asRoot(line, rightsOf(machine));
    const found = await lookAtHost(rootLine, { place: placeOf(machine), signal: run.signal });
    refuseWhatCannotWork(found);
    if (!isAdopting) refuseOtherOwner(found, machine.id);
  }

  async create(machine: DriverMachine): Promise<void> {
    const { resources } = machine;
    if (!resources.all.some(({ key }) => key === 'engine')) {
      await resources.put({ key: 'engine', title: 'Engine', tag: machine.id, state: 'asked', id: null });
    }
    if (readMemory(machine.memory) === null) await machine.remember({ isOn: false });
  }

  async start(machine: DriverMachine, run: DriverRun): Promise<void> {
    run.signal.throwIfAborted();
    await machine.remember({ isOn: true });
  }

  async stop(machine: DriverMachine, run: DriverRun): Promise<void> {
    await this.#end(machine, run, 'stop');
  }

  async kill(machine: DriverMachine, run: DriverRun): Promise<void> {
    await this.#end(machine, run, 'kill');
  }

  async remove(machine: DriverMachine, run: DriverRun): Promise<void> {
    if (!machine.resources.all.some(({ key }) => key === 'engine')) return;
    await using line = new LocalLine();
    await removeHostEngine(hostOf(machine, line, run.signal));
    await machine.resources.drop('engine');
    await machine.remember({});
  }

  state(machine: DriverStateQuery): Promise<DriverState> {
    const memory = readMemory(machine.memory);
    if (memory === null) return Promise.resolve('absent');
    return Promise.resolve(memory.isOn ? 'running' : 'stopped');
  }

  access(machine: DriverStateQuery): Promise<Access | null> {
    return Promise.resolve(readMemory(machine.memory)?.isOn === true ? { kind: 'this-computer' } : null);
  }

  async #end(machine: DriverMachine, run: DriverRun, how: 'stop' | 'kill'): Promise<void> {
    if (readMemory(machine.memory)?.isOn !== true) return;
    await using line = new LocalLine();
    await stopHostEngine(hostOf(machine, line, run.signal), { how });
    await machine.remember({ isOn: false });
  }
}

function hostOf(machine: DriverMachine, line: LocalLine, signal: AbortSignal): HostEngine {
  return { line, rootLine: asRoot(line, rightsOf(machine)), place: placeOf(machine), machineId: machine.id, signal };
}

function placeOf(machine: DriverStateQuery): HostPlace {
  return hostPlace(localSettings.resolve(machine.settings).prefix ?? '');
}

function rightsOf(machine: DriverMachine): RootRights {
  if (process.getuid?.() === 0) return { kind: 'root' };
  return { kind: 'sudo', password: localSettings.resolve(machine.settings).sudoPassword ?? null };
}

function readMemory(memory: Readonly<Record<string, unknown>>): z.infer<typeof memorySchema> | null {
  const parsed = memorySchema.safeParse(memory);
  return parsed.success ? parsed.data : null;
}
