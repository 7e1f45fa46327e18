import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
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
  PauseRole,
  ResizeRole,
  StopRun,
  SuspendRole,
  TaggedRole,
} from '../driver.ts';
import { provideResource } from '../resources.ts';
import type { SshOutcome } from '../vm/await-ssh.ts';
import { awaitSsh } from '../vm/await-ssh.ts';
import { diskSnapshots } from '../vm/disk-snapshots.ts';
import type { Computer } from '../vm/find-program.ts';
import { thisComputer } from '../vm/find-program.ts';
import { requireSpace } from '../vm/free-space.ts';
import { powerOffInside } from '../vm/power-off-inside.ts';
import { SharedLook } from '../vm/shared-look.ts';
import { parseVmName, vmNameOf } from '../vm/vm-name.ts';
import { windowsFolder } from '../vm/windows-folder.ts';
import {
  dataDiskOf,
  diskFilesOf,
  disksOf,
  isSeedSame,
  provideData,
  readData,
  systemImageOf,
  takeData,
  writeSeed,
  writeSystem,
} from './disks.ts';
import { hypervSettings } from './hyperv-settings.ts';
import { neighboursOf } from './neighbours.ts';
import { findPowershell, Powershell } from './powershell.ts';
import { macOf, readMemory } from './remembered.ts';
import { taggedVms } from './tagged.ts';
import type { KnownVm, VirtualMachine } from './virtual-machine.ts';
import {
  attachedDisks,
  awaitStopped,
  changeVm,
  cutPower,
  detachDisks,
  findSwitch,
  growDisk,
  listVms,
  makeVm,
  removeVm,
  startVm,
} from './virtual-machine.ts';

const bootTries = 2;
const usualBootMs = 60_000;
const resource = 'vm';

/**
 * Machines of Hyper-V, of its second generation: EFI firmware boots the system disk. They have an address of a virtual switch's network,
 * another at each start, found by the card that the driver gave them. Everything is asked by PowerShell.
 */
export class HypervDriver implements Driver {
  readonly name = 'hyperv';
  readonly title = 'Hyper-V';
  readonly capabilities: DriverCapabilities = { system: 'skiff-image', place: 'this-computer', console: 'none' };
  readonly settings = hypervSettings;
  readonly pause: PauseRole = {
    pause: (machine, run) => this.#change(machine, { run, from: 'running', cmdlet: 'Suspend-VM' }),
    resume: (machine, run) => this.#change(machine, { run, from: 'paused', cmdlet: 'Resume-VM' }),
  };
  readonly suspend: SuspendRole = {
    suspend: async (machine, run) => {
      run.tell({ detail: 'writing its memory' });
      await this.#change(machine, { run, from: 'running', cmdlet: 'Save-VM' });
    },
  };
  readonly resize: ResizeRole = { resize: (machine, run) => this.#resize(machine, run) };
  readonly snapshots = diskSnapshots({
    isRunning: async (machine) => ['running', 'paused'].includes(await this.state(machine)),
    diskOf: dataDiskOf,
    letGo: (machine, run) => this.#letGo(machine, run),
  });
  readonly copies: CopyRole = {
    writeDisk: async (machine, file, { signal }) =>
      readData(machine.paths, file, { powershell: await this.#powershell(), signal }),
    takeDisk: (machine, file, run) => this.#takeDisk(machine, file, run),
  };
  readonly tagged: TaggedRole = {
    find: async (owner, run) => taggedVms(await this.#powershell(), { owner, signal: run.signal }),
  };
  readonly #computer: Computer;
  readonly #bootMs: number;
  readonly #sshPort: number;
  readonly #vms = new SharedLook(async () => listVms(await this.#powershell()));

  constructor(
    options: {
      readonly computer?: Computer;
      /** How long a machine may take until its SSH answers, before it is started again. */
      readonly bootMs?: number;
      /** Of the machines' SSH servers. */
      readonly sshPort?: number;
    } = {},
  ) {
    this.#computer = options.computer ?? thisComputer();
    this.#bootMs = options.bootMs ?? usualBootMs;
    this.#sshPort = options.sshPort ?? 22;
  }

  async availability(): Promise<string | null> {
    if (this.#computer.platform !== 'win32') return 'Hyper-V is a part of Windows. Use --driver qemu on this computer';
    // Its files tell; to ask it takes longer than anybody wants to wait for a list of drivers.
    if (!(await isThere(windowsFolder(this.#computer, 'System32', 'vmms.exe'))))
      return 'Hyper-V is not switched on (Windows Pro, Enterprise and Education have it). Switch it on as administrator, in PowerShell: Enable-WindowsOptionalFeature -Online -FeatureName Microsoft-Hyper-V-All, then restart Windows';
    return (await findPowershell(this.#computer)) === null ? powershellMissing : null;
  }

  async preCreateCheck(machine: DriverMachine, { signal }: DriverRun): Promise<void> {
    const why = await this.availability();
    if (why !== null) throw new MachineError('driver-unavailable', why);
    await requireSpace(machine.paths);
    const { virtualSwitch } = hypervSettings.resolve(machine.settings);
    await findSwitch(await this.#powershell(), virtualSwitch, signal);
  }

  async create(machine: DriverMachine, { signal }: DriverRun): Promise<void> {
    const powershell = await this.#powershell();
    const { memoryBytes, diskBytes } = hypervSettings.resolve(machine.settings);
    const name = vmNameOf(machine);
    const vmId = await provideResource(machine.resources, {
      key: resource,
      title: 'Hyper-V machine',
      tag: name,
      find: async () => (await listVms(powershell, signal)).find((vm) => vm.name === name)?.id ?? null,
      make: () => makeVm(powershell, { name, folder: hypervFolder(machine.paths), memoryBytes, signal }),
    });
    if (readMemory(machine.memory).vmId !== vmId) await machine.remember({ ...readMemory(machine.memory), vmId });
    await provideData(machine.paths, diskBytes, signal);
  }

  async start(machine: DriverMachine, run: DriverRun): Promise<void> {
    const { signal } = run;
    signal.throwIfAborted();
    const state = await this.state(machine);
    switch (state) {
      case 'absent':
        throw new MachineError(
          'boot-failed',
          `Hyper-V knows machine "${machine.name}" no more: it was deleted there. Remove it here: skiff machine rm ${machine.name}`,
        );
      case 'paused':
        return await changeVm(await this.#vm(machine, signal), 'Resume-VM');
      case 'suspended':
        return await this.#resumeSaved(machine, run);
      case 'running':
        // Whoever started it may have died before it was up.
        if ((await this.#awaitUp(machine, { signal, mayHaveMoved: false })).kind === 'up') return;
        break;
      case 'stopped':
    }
    await this.#boot(machine, { run, state });
  }

  async stop(machine: DriverMachine, run: StopRun): Promise<void> {
    const state = await this.state(machine);
    if (state === 'absent' || state === 'stopped') return;
    const { signal, graceMs } = run;
    const vm = await this.#vm(machine, signal);
    const deadline = performance.now() + graceMs;
    // A guest that stands still hears nothing.
    if (state === 'paused') await changeVm(vm, 'Resume-VM');
    if (state !== 'suspended') {
      run.tell({ detail: 'asking the machine to power off' });
      await powerOffInside(run, graceMs);
      if (await awaitStopped(vm, Math.max(0, deadline - performance.now()))) return;
      run.tell({ detail: 'it does not power off; ending it' });
    }
    await this.kill(machine, run);
  }

  async kill(machine: DriverMachine, { signal }: DriverRun): Promise<void> {
    const state = await this.state(machine);
    if (state !== 'absent') await cutPower(await this.#vm(machine, signal), state);
  }

  async remove(machine: DriverMachine, { signal }: DriverRun): Promise<void> {
    if (machine.resources.all.some(({ key }) => key === resource)) {
      const powershell = await this.#powershell();
      // Not by what it remembers: that may have been lost, or a call that was cut off have made a second.
      const ours = (await listVms(powershell, signal)).filter((vm) => parseVmName(vm.name)?.machineId === machine.id);
      for (const { id, state } of ours) {
        const vm: VirtualMachine = { powershell, vmId: id, signal };
        await cutPower(vm, state);
        await removeVm(vm);
      }
    }
    for (const disk of diskFilesOf(machine.paths)) await rm(disk, { force: true });
    await rm(hypervFolder(machine.paths), { recursive: true, force: true });
    await machine.resources.drop(resource);
    await machine.remember({});
  }

  async state(machine: DriverStateQuery): Promise<DriverState> {
    return (await this.#known(machine))?.state ?? 'absent';
  }

  async access(machine: DriverStateQuery): Promise<Access | null> {
    const { address } = readMemory(machine.memory);
    if (address === null || (await this.state(machine)) !== 'running') return null;
    return { kind: 'ssh', host: address, port: this.#sshPort, user: 'root', hostKey: null, jumps: [] };
  }

  async #boot(
    machine: DriverMachine,
    options: { readonly run: DriverRun; readonly state: DriverState },
  ): Promise<void> {
    const { run } = options;
    const vm = await this.#vm(machine, run.signal);
    let { state } = options;
    let why = '';
    for (let tryNumber = 1; tryNumber <= bootTries; tryNumber++) {
      await cutPower(vm, state);
      await this.#bootOnce(machine, vm, run);
      const outcome = await this.#awaitUp(machine, { signal: run.signal, mayHaveMoved: true });
      if (outcome.kind === 'up') return;
      why = outcome.why;
      run.tell({ detail: why });
      state = await this.state(machine);
    }
    await cutPower(vm, state);
    throw new MachineError('boot-failed', `The machine did not start: ${why}`);
  }

  async #bootOnce(machine: DriverMachine, vm: VirtualMachine, run: DriverRun): Promise<void> {
    const { powershell, signal } = vm;
    const { cpus, memoryBytes, diskBytes, virtualSwitch } = hypervSettings.resolve(machine.settings);
    const switchName = await findSwitch(powershell, virtualSwitch, signal);
    const attached = await attachedDisks(vm);
    const disks = disksOf(machine.paths);
    const image = await systemImageOf(machine, run);
    const isSystemSame = readMemory(machine.memory).systemDisk === image;
    const isSeedWritten = await isSeedSame(machine);
    const areThere = await Promise.all(disks.map(isThere));
    const isSame = isSystemSame && isSeedWritten && areThere.every(Boolean) && attached.join('\0') === disks.join('\0');
    if (!isSame && attached.length > 0) await detachDisks(vm);
    if (!isSystemSame || areThere[0] !== true) {
      run.tell({ detail: 'writing the system disk' });
      await writeSystem(machine.paths, image, signal);
    }
    if (!isSeedWritten) await writeSeed(machine, signal);
    await growDisk(powershell, { path: dataDiskOf(machine.paths), sizeBytes: diskBytes, signal });
    // Before it runs: whoever finds it running must not take its old address for the new one.
    const lastBoot = { cpus, memoryBytes, virtualSwitch: switchName };
    await machine.remember({ ...readMemory(machine.memory), systemDisk: image, address: null, lastBoot });
    await startVm(vm, {
      hardware: { ...lastBoot, mac: macOf(machine.id) },
      attach: isSame ? [] : disks,
    });
  }

  /** Waits for its SSH wherever this computer sees its card, and remembers where that was. */
  async #awaitUp(
    machine: DriverMachine,
    options: { readonly signal: AbortSignal; readonly mayHaveMoved: boolean },
  ): Promise<SshOutcome> {
    const { signal, mayHaveMoved } = options;
    const memory = readMemory(machine.memory);
    const kept = mayHaveMoved || memory.address === null ? [] : [memory.address];
    let host: string | null = null;
    const outcome = await awaitSsh({
      address: async (look) => {
        const seen = await neighboursOf(macOf(machine.id), { computer: this.#computer, signal });
        const candidates = [...new Set([...kept, ...seen])];
        host = candidates[look % candidates.length] ?? null;
        return host === null ? null : { host, port: this.#sshPort };
      },
      serialLog: null,
      isRunning: async () => (await this.state(machine)) === 'running',
      timeoutMs: this.#bootMs,
      signal,
    });
    if (outcome.kind === 'up' && host !== memory.address)
      await machine.remember({ ...memory, address: host }, host === null ? {} : { address: host });
    return outcome;
  }

  async #resumeSaved(machine: DriverMachine, { signal }: DriverRun): Promise<void> {
    await changeVm(await this.#vm(machine, signal), 'Start-VM');
    const outcome = await this.#awaitUp(machine, { signal, mayHaveMoved: false });
    if (outcome.kind === 'up') return;
    throw new MachineError(
      'boot-failed',
      `The machine goes on from its saved memory, but is not reached: ${outcome.why} The Default Switch has another network after each start of Windows; then restart the machine: skiff machine kill ${machine.name}, skiff machine start ${machine.name}`,
    );
  }

  async #change(
    machine: DriverMachine,
    how: {
      readonly run: DriverRun;
      readonly from: DriverState;
      readonly cmdlet: 'Suspend-VM' | 'Resume-VM' | 'Save-VM';
    },
  ): Promise<void> {
    if ((await this.state(machine)) === how.from) await changeVm(await this.#vm(machine, how.run.signal), how.cmdlet);
  }

  async #resize(machine: DriverMachine, { signal }: DriverRun): Promise<readonly string[]> {
    const { cpus, memoryBytes, diskBytes, virtualSwitch } = hypervSettings.resolve(machine.settings);
    const powershell = await this.#powershell();
    await growDisk(powershell, { path: dataDiskOf(machine.paths), sizeBytes: diskBytes, signal });
    const { lastBoot } = readMemory(machine.memory);
    const switchName = await findSwitch(powershell, virtualSwitch, signal);
    const isOf = (key: string, isSame: boolean): string[] => (isSame ? [] : [key]);
    return [
      ...isOf('cpus', lastBoot?.cpus === cpus),
      ...isOf('memoryBytes', lastBoot?.memoryBytes === memoryBytes),
      ...isOf('virtualSwitch', lastBoot?.virtualSwitch === switchName),
    ];
  }

  async #takeDisk(machine: DriverMachine, file: string, run: DriverRun): Promise<void> {
    const { size } = await stat(file);
    const { diskBytes } = hypervSettings.resolve(machine.settings);
    if (size > diskBytes)
      throw new MachineError(
        'invalid-setting',
        `The disk has ${size} bytes; a machine with ${diskBytes} (--disk) cannot take it`,
      );
    await this.#letGo(machine, run);
    await takeData(machine.paths, file, run.signal);
  }

  /** Has the stopped machine hold none of its disks; a memory that was saved for another disk would tear this one apart. */
  async #letGo(machine: DriverMachine, { signal }: DriverRun): Promise<void> {
    const state = await this.state(machine);
    if (state === 'absent') return;
    const vm = await this.#vm(machine, signal);
    await cutPower(vm, state);
    if ((await attachedDisks(vm)).length > 0) await detachDisks(vm);
  }

  async #known(machine: DriverStateQuery): Promise<KnownVm | null> {
    const { vmId } = readMemory(machine.memory);
    return vmId === null ? null : ((await this.#vms.get()).find(({ id }) => id === vmId) ?? null);
  }

  async #vm(machine: DriverMachine, signal: AbortSignal): Promise<VirtualMachine> {
    const { vmId } = readMemory(machine.memory);
    if (vmId === null) throw new MachineError('internal', `Nobody knows the Hyper-V machine of "${machine.name}"`);
    return { powershell: await this.#powershell(), vmId, signal };
  }

  async #powershell(): Promise<Powershell> {
    const path = await findPowershell(this.#computer);
    if (path === null) throw new MachineError('driver-unavailable', powershellMissing);
    return new Powershell(path, this.#computer.environment);
  }
}

const powershellMissing = 'powershell.exe of Windows is not found. Hyper-V is asked by it; put its folder into Path';

/** Where Hyper-V writes: settings, saved memory. */
const hypervFolder = ({ folder }: Pick<MachinePaths, 'folder'>): string => join(folder, 'vm');
