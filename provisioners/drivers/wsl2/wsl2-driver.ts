import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeRootArchive } from '../../machine-image/root-archive.ts';
import { MachineError } from '../../machines.ts';
import { isThere } from '../../store/atomic-file.ts';
import type { MachinePaths } from '../../store/home.ts';
import type {
  Access,
  CopyRole,
  Driver,
  DriverCapabilities,
  DriverMachine,
  DriverRun,
  DriverState,
  DriverStateQuery,
  StopRun,
  TaggedRole,
} from '../driver.ts';
import { vhdxToRaw } from '../vm/read-vhdx.ts';
import { rawToVhdx } from '../vm/write-vhdx.ts';
import { provideResource } from '../resources.ts';
import type { SshOutcome } from '../vm/await-ssh.ts';
import { awaitSsh } from '../vm/await-ssh.ts';
import { keepPreviousLog } from '../vm/console-log.ts';
import type { Computer } from '../vm/find-program.ts';
import { thisComputer } from '../vm/find-program.ts';
import { requireSpace } from '../vm/free-space.ts';
import { seedOf } from '../vm/guest-seed.ts';
import { freeLocalPort } from '../vm/local-port.ts';
import { SharedLook } from '../vm/shared-look.ts';
import { parseVmName, vmNameOf } from '../vm/vm-name.ts';
import type { VmProcessFiles } from '../vm/vm-process.ts';
import { endVmProcess, findVmProcess, forgetVmProcess, startVmProcess } from '../vm/vm-process.ts';
import { windowsFolder } from '../vm/windows-folder.ts';
import { readMemory } from './remembered.ts';
import { commandArguments, Wsl, wslMissing } from './wsl.ts';
import { wsl2Settings } from './wsl2-settings.ts';

const bootTries = 2;
const usualBootMs = 60_000;
const resource = 'distribution';

/**
 * Machines in WSL2: the files of the machine image as a distribution, in which a process that WSL is not to end (`wsl-machine`) does what
 * init does elsewhere. Its wsl.exe is the machine's process on this computer. All distributions share one kernel and one network, so one
 * machine runs at a time; others' distributions are left alone.
 */
export class Wsl2Driver implements Driver {
  readonly name = 'wsl2';
  readonly title = 'WSL2';
  readonly capabilities: DriverCapabilities = { system: 'skiff-image', place: 'this-computer', console: 'serial-log' };
  readonly settings = wsl2Settings;
  readonly copies: CopyRole = {
    writeDisk: (machine, file, run) => this.#writeDisk(machine, file, run),
    takeDisk: (machine, file, run) => this.#takeDisk(machine, file, run),
  };
  readonly tagged: TaggedRole = {
    find: async (owner, { signal }) =>
      (await this.#wsl.list({ signal })).flatMap(({ name }) => {
        const tag = parseVmName(name);
        if (tag?.owner !== owner) return [];
        const remove = (run: DriverRun): Promise<void> => this.#wsl.unregister(name, { signal: run.signal });
        return [{ machineId: tag.machineId, title: `WSL distribution "${name}"`, cost: null, remove }];
      }),
  };
  readonly #computer: Computer;
  readonly #bootMs: number;
  readonly #wsl: Wsl;
  readonly #distributions = new SharedLook(() => this.#wsl.list());

  constructor(
    options: {
      readonly computer?: Computer;
      /** How long a machine may take until its SSH answers, before it is started again. */
      readonly bootMs?: number;
    } = {},
  ) {
    this.#computer = options.computer ?? thisComputer();
    this.#bootMs = options.bootMs ?? usualBootMs;
    this.#wsl = new Wsl(windowsFolder(this.#computer, 'System32', 'wsl.exe'), this.#computer.environment);
  }

  async availability(): Promise<string | null> {
    if (this.#computer.platform !== 'win32') return 'WSL2 is a part of Windows. Use --driver qemu on this computer';
    return (await isThere(this.#wsl.path)) ? null : wslMissing();
  }

  async preCreateCheck(machine: DriverMachine, { signal }: DriverRun): Promise<void> {
    const why = await this.availability();
    if (why !== null) throw new MachineError('driver-unavailable', why);
    // What comes with Windows only offers to install the rest.
    const version = await this.#wsl.version(signal);
    if (version === null || version.startsWith('0.')) throw new MachineError('driver-unavailable', wslMissing());
    await requireSpace(machine.paths);
  }

  async create(machine: DriverMachine, { signal, tell }: DriverRun): Promise<void> {
    const systemDisk = systemDiskOf(machine);
    await this.#provide(machine, signal, async (name) => {
      tell({ detail: 'writing its system' });
      const file = join(machine.paths.folder, 'root.tar');
      try {
        await writeRootArchive(systemDisk, file, signal);
        await this.#wsl.importArchive(name, { folder: diskFolder(machine.paths), file }, { signal });
      } finally {
        await rm(file, { force: true });
      }
    });
  }

  async start(machine: DriverMachine, run: DriverRun): Promise<void> {
    const { signal } = run;
    signal.throwIfAborted();
    const state = await this.state(machine);
    if (state === 'absent')
      throw new MachineError(
        'boot-failed',
        `WSL knows machine "${machine.name}" no more: it was unregistered there. Remove it here: skiff machine rm ${machine.name}`,
      );
    // Whoever started it may have died before it was up; and without its wsl.exe, WSL would soon end it.
    const holder = await findVmProcess(filesOf(machine));
    if (state === 'running' && holder !== null && (await this.#awaitUp(machine, signal)).kind === 'up') return;
    await this.#refuseSecond(machine);
    await this.#updateSystem(machine, run);
    let why = '';
    for (let tryNumber = 1; tryNumber <= bootTries; tryNumber++) {
      await this.kill(machine, run);
      await this.#boot(machine, run);
      const outcome = await this.#awaitUp(machine, signal);
      if (outcome.kind === 'up') return;
      why = outcome.why;
      run.tell({ detail: why.split('\n', 1)[0] ?? why });
    }
    await this.kill(machine, run);
    throw new MachineError(
      'boot-failed',
      `The machine did not start: ${why}\nIf the console shows nothing wrong, look whether localhostForwarding is off in .wslconfig`,
    );
  }

  async stop(machine: DriverMachine, run: StopRun): Promise<void> {
    if ((await this.state(machine)) !== 'running') return;
    run.tell({ detail: 'ending the engine and its containers' });
    try {
      const timeoutMs = Math.max(1, run.graceMs);
      await this.#wsl.execute(nameOf(machine), ['/usr/lib/skiff/engine-stop'], { signal: run.signal, timeoutMs });
    } catch (error) {
      run.signal.throwIfAborted();
      run.tell({ detail: `it does not end them: ${error instanceof Error ? error.message : String(error)}` });
    }
    await this.kill(machine, run);
  }

  async kill(machine: DriverMachine, { signal }: DriverRun): Promise<void> {
    if ((await this.state(machine)) === 'running') await this.#wsl.terminate(nameOf(machine), { signal });
    const holder = await findVmProcess(filesOf(machine));
    if (holder !== null) await endVmProcess(holder);
    await forgetVmProcess(filesOf(machine));
  }

  async remove(machine: DriverMachine, run: DriverRun): Promise<void> {
    if (machine.resources.all.some(({ key }) => key === resource))
      await this.#wsl.unregister(vmNameOf(machine), { signal: run.signal });
    const holder = await findVmProcess(filesOf(machine));
    if (holder !== null) await endVmProcess(holder);
    await forgetVmProcess(filesOf(machine));
    for (const name of ['root.tar', 'root.tar.new', 'copy.vhdx', 'copy.vhdx.new'])
      await rm(join(machine.paths.folder, name), { force: true });
    await rm(diskFolder(machine.paths), { recursive: true, force: true });
    await machine.resources.drop(resource);
    await machine.remember({});
  }

  async state(machine: DriverStateQuery): Promise<DriverState> {
    const { distribution } = readMemory(machine.memory);
    if (distribution === null) return 'absent';
    const known = (await this.#distributions.get()).find(({ name }) => name === distribution);
    if (known === undefined) return 'absent';
    return known.isRunning ? 'running' : 'stopped';
  }

  async access(machine: DriverStateQuery): Promise<Access | null> {
    const { sshPort } = readMemory(machine.memory);
    if (sshPort === null || (await this.state(machine)) !== 'running') return null;
    return { kind: 'ssh', host: '127.0.0.1', port: sshPort, user: 'root', hostKey: null, jumps: [] };
  }

  async #provide(machine: DriverMachine, signal: AbortSignal, make: (name: string) => Promise<void>): Promise<void> {
    const name = vmNameOf(machine);
    // Null: of which image the files are that an earlier try wrote, nobody knows.
    let systemDisk: string | null = null;
    const distribution = await provideResource(machine.resources, {
      key: resource,
      title: 'WSL distribution',
      tag: name,
      // An import that was cut off may have registered it half made.
      find: async () => {
        await this.#wsl.unregister(name, { signal });
        return null;
      },
      make: async () => {
        await make(name);
        systemDisk = systemDiskOf(machine);
        return name;
      },
    });
    if (readMemory(machine.memory).distribution === distribution) return;
    await machine.remember({ ...readMemory(machine.memory), distribution, systemDisk });
  }

  /** Two engines in one network would take each other's bridges and rules for their own. */
  async #refuseSecond(machine: DriverMachine): Promise<void> {
    const others = (await this.#distributions.get()).filter(
      ({ name, isRunning }) => isRunning && name !== nameOf(machine) && parseVmName(name) !== null,
    );
    if (others[0] === undefined) return;
    throw new MachineError(
      'busy',
      `Machines in WSL2 share one network, so that one of them runs at a time. Stop the other first (WSL calls it "${others[0].name}")`,
    );
  }

  /** System and data are one disk here: a newer system's files are written over the older one's. */
  async #updateSystem(machine: DriverMachine, { signal, tell }: DriverRun): Promise<void> {
    const systemDisk = systemDiskOf(machine);
    if (readMemory(machine.memory).systemDisk === systemDisk) return;
    tell({ detail: 'writing the newer system' });
    const file = join(machine.paths.folder, 'root.tar');
    try {
      await writeRootArchive(systemDisk, file, signal);
      const command = ['/usr/bin/tar', '-xpf', '-', '-C', '/'];
      await this.#wsl.execute(nameOf(machine), command, { signal, input: file, timeoutMs: 10 * 60_000 });
    } finally {
      await rm(file, { force: true });
    }
    await machine.remember({ ...readMemory(machine.memory), systemDisk });
  }

  async #boot(machine: DriverMachine, { signal }: DriverRun): Promise<void> {
    const sshPort = await freeLocalPort(readMemory(machine.memory).sshPort);
    // Before it runs: whoever finds it running must know its port.
    await machine.remember({ ...readMemory(machine.memory), sshPort });
    // Name and keys alone: the network is there.
    const input = seedOf(machine, { mode: 'dhcp' });
    await this.#wsl.execute(nameOf(machine), ['/usr/lib/skiff/wsl-seed'], { signal, input });
    await keepPreviousLog(machine.paths);
    await startVmProcess({
      program: this.#wsl.path,
      arguments: commandArguments(nameOf(machine), ['/usr/lib/skiff/wsl-machine', String(sshPort)]),
      files: filesOf(machine),
      environment: this.#computer.environment,
    });
  }

  async #awaitUp(machine: DriverMachine, signal: AbortSignal): Promise<SshOutcome> {
    const { sshPort: port } = readMemory(machine.memory);
    return await awaitSsh({
      address: () => Promise.resolve(port === null ? null : { host: '127.0.0.1', port }),
      serialLog: machine.paths.serialLog,
      isRunning: async () => (await findVmProcess(filesOf(machine))) !== null,
      timeoutMs: this.#bootMs,
      signal,
    });
  }

  async #writeDisk({ paths, ...machine }: DriverMachine, file: string, { signal }: DriverRun): Promise<void> {
    const copy = join(paths.folder, 'copy.vhdx');
    try {
      await rm(copy, { force: true });
      await this.#wsl.exportDisk(vmNameOf(machine), copy, { signal });
      await vhdxToRaw(copy, file, signal);
    } finally {
      await rm(copy, { force: true });
    }
  }

  /** The disk brings its own system, which the first start replaces by this image's. */
  async #takeDisk(machine: DriverMachine, file: string, { signal }: DriverRun): Promise<void> {
    const copy = join(machine.paths.folder, 'copy.vhdx');
    try {
      await rawToVhdx(file, copy, signal);
      await this.#wsl.unregister(vmNameOf(machine), { signal });
      await machine.resources.drop(resource);
      await this.#provide(machine, signal, (name) =>
        this.#wsl.importDisk(name, { folder: diskFolder(machine.paths), file: copy }, { signal }),
      );
      await machine.remember({ ...readMemory(machine.memory), systemDisk: null });
      await rm(file, { force: true });
    } finally {
      await rm(copy, { force: true });
    }
  }
}

function nameOf(machine: DriverMachine): string {
  return readMemory(machine.memory).distribution ?? vmNameOf(machine);
}

function systemDiskOf({ image }: DriverMachine): string {
  if (image === null) throw new MachineError('internal', 'A machine in WSL2 is made without an image');
  return image.systemDisk;
}

/** Where WSL keeps its disk. */
const diskFolder = ({ folder }: Pick<MachinePaths, 'folder'>): string => join(folder, 'wsl');

function filesOf(machine: DriverMachine): VmProcessFiles {
  const { folder, pidFile, processFile, serialLog } = machine.paths;
  return { title: 'wsl.exe', folder, pidFile, processFile, logFile: serialLog, mark: nameOf(machine), socket: null };
}
