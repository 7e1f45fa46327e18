import { rm, stat } from 'node:fs/promises';
import { MachineError } from '../../machines.ts';
import { isThere } from '../../store/atomic-file.ts';
import type {
  Access,
  BootImage,
  CopyRole,
  Driver,
  DriverCapabilities,
  DriverMachine,
  DriverRun,
  DriverState,
  DriverStateQuery,
  PauseRole,
  StopRun,
  SuspendRole,
  TaggedRole,
} from '../driver.ts';
import { freeLocalPort } from '../vm/local-port.ts';
import { awaitSsh } from '../vm/await-ssh.ts';
import { keepPreviousLog } from '../vm/console-log.ts';
import type { Computer } from '../vm/find-program.ts';
import { thisComputer } from '../vm/find-program.ts';
import { requireSpace } from '../vm/free-space.ts';
import { seedOf, toWholeMebibytes } from '../vm/guest-seed.ts';
import { powerOffInside } from '../vm/power-off-inside.ts';
import {
  cloneToRaw,
  convertRaw,
  diskFilesOf,
  forget,
  mediaOf,
  isSeedSame,
  provideData,
  writeSeedDisk,
} from './media.ts';
import { readMemory, uuidOf } from './remembered.ts';
import { findVBoxManage, VBoxManage, virtualboxMissing } from './vbox-manage.ts';
import type { VirtualMachine } from './virtual-machine.ts';
import {
  areAttached,
  attachDisks,
  awaitState,
  configureVm,
  control,
  cutPower,
  detachDisks,
  guestNetwork,
  moveForwarding,
  registerVm,
} from './virtual-machine.ts';
import { groupOf, namePrefix, taggedMachines } from './tagged-machines.ts';
import { virtualboxSettings } from './virtualbox-settings.ts';
import type { VmInfo } from './vm-info.ts';
import { driverState, readVmInfo } from './vm-info.ts';

const leastMajor = 7;
const bootTries = 3;
/** Where Windows itself runs in a hypervisor, VirtualBox is several times slower. */
const usualBootMs = 120_000;
const resource = 'vm';

/**
 * Machines of VirtualBox, which has no direct boot of a kernel: its firmware boots the system disk (`BootImage.bootableDisk`).
 * What VirtualBox knows of a machine stands in its own register outside of the machine's folder, under the machine's id as UUID.
 */
export class VirtualboxDriver implements Driver {
  readonly name = 'virtualbox';
  readonly title = 'VirtualBox';
  readonly capabilities: DriverCapabilities = { system: 'skiff-image', place: 'this-computer', console: 'serial-log' };
  readonly settings = virtualboxSettings;
  readonly pause: PauseRole = {
    pause: async (machine, run) => void (await control(await this.#vm(machine, run.signal), 'pause')),
    resume: async (machine, run) => void (await control(await this.#vm(machine, run.signal), 'resume')),
  };
  readonly tagged: TaggedRole = taggedMachines(() => this.#vbox());
  readonly suspend: SuspendRole = { suspend: (machine, run) => this.#suspend(machine, run) };
  readonly copies: CopyRole = {
    writeDisk: async (machine, file, { signal }) =>
      cloneToRaw({ vbox: await this.#vbox(), signal }, mediaOf(machine.paths).data, file),
    takeDisk: (machine, file, run) => this.#takeDisk(machine, file, run),
  };
  readonly #computer: Computer;
  readonly #bootMs: number;

  constructor(
    options: {
      readonly computer?: Computer;
      /** How long a machine may take until its SSH answers, before it is started again. */
      readonly bootMs?: number;
    } = {},
  ) {
    this.#computer = options.computer ?? thisComputer();
    this.#bootMs = options.bootMs ?? usualBootMs;
  }

  async availability(): Promise<string | null> {
    const { arch } = this.#computer;
    // VirtualBox's machines have the processor of this computer; its ARM machines boot in another way.
    if (arch !== 'x64') return `Skiff makes VirtualBox machines on x86-64 computers alone, this one is ${arch}`;
    const path = await findVBoxManage(this.#computer);
    if (path === null) return virtualboxMissing(this.#computer);
    try {
      return await whyUnfit(new VBoxManage(path, this.#computer.environment));
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  async preCreateCheck(machine: DriverMachine): Promise<void> {
    const why = await this.availability();
    if (why !== null) throw new MachineError('driver-unavailable', why);
    await requireSpace(machine.paths);
  }

  async create(machine: DriverMachine, { signal }: DriverRun): Promise<void> {
    const vbox = await this.#vbox();
    const uuid = uuidOf(machine.id);
    const media = mediaOf(machine.paths);
    const entry = { key: resource, title: 'VirtualBox machine', tag: uuid } as const;
    const vm: VirtualMachine = { vbox, uuid, signal };
    await machine.resources.put({ ...entry, state: 'asked', id: null });
    await machine.remember({ ...readMemory(machine.memory), uuid });
    if ((await readVmInfo(vbox, uuid, { signal })) === null) {
      // A registration that was cut off left its file, and VirtualBox writes over none.
      await rm(media.folder, { recursive: true, force: true });
      const name = `${namePrefix}${machine.name}-${machine.id.slice(0, 8)}`;
      await registerVm(vm, { name, folder: media.folder, group: groupOf(machine.owner) });
    }
    await machine.resources.put({ ...entry, state: 'made', id: uuid });
    const { diskBytes } = virtualboxSettings.resolve(machine.settings);
    if (!(await isThere(media.data))) await provideData({ vbox, signal }, media.data, diskBytes);
  }

  async start(machine: DriverMachine, run: DriverRun): Promise<void> {
    const { signal } = run;
    signal.throwIfAborted();
    const vm = await this.#vm(machine, signal);
    const info = await readVmInfo(vm.vbox, vm.uuid, { signal });
    switch (driverState(info)) {
      case 'absent':
        throw new MachineError(
          'boot-failed',
          `VirtualBox knows machine "${machine.name}" no more: it was deleted there. Remove it here: skiff machine rm ${machine.name}`,
        );
      case 'paused':
        await control(vm, 'resume');
        return;
      case 'suspended':
        return await this.#resumeSaved(machine, vm);
      case 'running':
        // Whoever started it may have died before it was up.
        if ((await this.#awaitUp(machine, vm)).kind === 'up') return;
        break;
      case 'stopped':
    }
    await this.#boot(machine, vm, run);
  }

  async stop(machine: DriverMachine, run: StopRun): Promise<void> {
    const state = await this.state(machine);
    if (state === 'absent' || state === 'stopped') return;
    const { signal, graceMs } = run;
    const vm = await this.#vm(machine, signal);
    const deadline = performance.now() + graceMs;
    // A guest that stands still hears nothing.
    if (state === 'paused') await control(vm, 'resume');
    run.tell({ detail: 'asking the machine to power off' });
    const isAsked = state !== 'suspended' && (await control(vm, 'acpipowerbutton'));
    if (isAsked && (await awaitState(vm, { state: 'stopped', timeoutMs: Math.min(graceMs, 10_000) }))) return;
    const remainingMs = Math.ceil(deadline - performance.now());
    if (isAsked && remainingMs > 0) {
      await powerOffInside(run, remainingMs);
      const timeoutMs = Math.max(0, deadline - performance.now());
      if (await awaitState(vm, { state: 'stopped', timeoutMs })) return;
    }
    run.tell({ detail: 'it does not power off; ending it' });
    await this.kill(machine, run);
  }

  async kill(machine: DriverMachine, { signal }: DriverRun): Promise<void> {
    if (readMemory(machine.memory).uuid === null) return;
    const vm = await this.#vm(machine, signal);
    const info = await readVmInfo(vm.vbox, vm.uuid, { signal });
    if (info !== null) await cutPower(vm, info);
  }

  async remove(machine: DriverMachine, { signal }: DriverRun): Promise<void> {
    const media = mediaOf(machine.paths);
    const disks = diskFilesOf(media);
    if (machine.resources.all.some(({ key }) => key === resource)) {
      // Not by what it remembers: that may have been lost.
      const vm: VirtualMachine = { vbox: await this.#vbox(), uuid: uuidOf(machine.id), signal };
      const info = await readVmInfo(vm.vbox, vm.uuid, { signal });
      if (info !== null) {
        await cutPower(vm, info);
        await detachDisks(vm, info);
        await vm.vbox.run(['unregistervm', vm.uuid], { signal });
      }
      for (const disk of disks) await forget(vm, disk);
    }
    for (const disk of disks) await rm(disk, { force: true });
    await rm(media.folder, { recursive: true, force: true });
    await machine.resources.drop(resource);
    await machine.remember({});
  }

  async state(machine: DriverStateQuery): Promise<DriverState> {
    return driverState(await this.#info(machine));
  }

  async access(machine: DriverStateQuery): Promise<Access | null> {
    const { sshPort } = readMemory(machine.memory);
    if (sshPort === null || (await this.state(machine)) !== 'running') return null;
    return { kind: 'ssh', host: '127.0.0.1', port: sshPort, user: 'root', hostKey: null, jumps: [] };
  }

  async #boot(machine: DriverMachine, vm: VirtualMachine, run: DriverRun): Promise<void> {
    let why = '';
    for (let tryNumber = 1; tryNumber <= bootTries; tryNumber++) {
      const info = await knownInfo(vm);
      await cutPower(vm, info);
      const sshPort = await freeLocalPort(readMemory(machine.memory).sshPort);
      // Before it runs: whoever finds it running must know its port.
      await machine.remember({ ...readMemory(machine.memory), sshPort });
      await keepPreviousLog(machine.paths);
      const { cpus, memoryBytes } = virtualboxSettings.resolve(machine.settings);
      await configureVm(vm, info, { cpus, memoryBytes, sshPort, serialLog: machine.paths.serialLog });
      await this.#provideDisks(machine, vm, { info, run });
      await vm.vbox.run(['startvm', vm.uuid, '--type', 'headless'], { signal: run.signal });
      const outcome = await this.#awaitUp(machine, vm);
      if (outcome.kind === 'up') return;
      why = outcome.why;
      run.tell({ detail: why.split('\n', 1)[0] ?? why });
    }
    await cutPower(vm, await knownInfo(vm));
    throw new MachineError('boot-failed', `The machine did not start: ${why}`);
  }

  /** Takes the disks off only when one of them is to be replaced: at most starts none is. */
  async #provideDisks(
    machine: DriverMachine,
    vm: VirtualMachine,
    options: { info: VmInfo; run: DriverRun },
  ): Promise<void> {
    const { info, run } = options;
    const media = mediaOf(machine.paths);
    const from = await imageOf(machine).bootableDisk(run);
    const seed = { bytes: seedDiskOf(machine), raw: machine.paths.seed, path: media.seed };
    const isSystemSame = readMemory(machine.memory).systemDisk === from && (await isThere(media.system));
    const isSame = isSystemSame && areAttached(info) && (await isSeedSame(seed));
    if (!isSame) await detachDisks(vm, info);
    if (!isSystemSame) {
      run.tell({ detail: 'writing the system disk' });
      await convertRaw(vm, from, media.system);
      await machine.remember({ ...readMemory(machine.memory), systemDisk: from });
    }
    await provideData(vm, media.data, virtualboxSettings.resolve(machine.settings).diskBytes);
    if (isSame) return;
    if (!(await isSeedSame(seed))) await writeSeedDisk(vm, seed);
    await attachDisks(vm, info, media);
  }

  async #awaitUp(machine: DriverMachine, vm: VirtualMachine): ReturnType<typeof awaitSsh> {
    const { sshPort } = readMemory(machine.memory);
    if (sshPort === null) return { kind: 'failed', why: 'nobody knows its port' };
    return await awaitSsh({
      address: () => Promise.resolve({ host: '127.0.0.1', port: sshPort }),
      serialLog: machine.paths.serialLog,
      isRunning: async () => driverState(await knownInfo(vm)) === 'running',
      timeoutMs: this.#bootMs,
      signal: vm.signal,
    });
  }

  /** `savestate` ends the machine only when its memory is written; cut off before, it runs. */
  async #suspend(machine: DriverMachine, run: DriverRun): Promise<void> {
    const vm = await this.#vm(machine, run.signal);
    const state = await this.state(machine);
    if (state !== 'running' && state !== 'paused') return;
    run.tell({ detail: 'writing its memory' });
    await control(vm, 'savestate');
    if (!(await awaitState(vm, { state: 'suspended', timeoutMs: 60_000 })))
      throw new MachineError('timeout', 'VirtualBox did not write the memory of the machine within a minute');
  }

  async #resumeSaved(machine: DriverMachine, vm: VirtualMachine): Promise<void> {
    const memory = readMemory(machine.memory);
    const sshPort = await freeLocalPort(memory.sshPort);
    await vm.vbox.run(['startvm', vm.uuid, '--type', 'headless'], { signal: vm.signal });
    // Its settings cannot be changed while it is saved: somebody has the port that it had.
    if (sshPort !== memory.sshPort) {
      await machine.remember({ ...memory, sshPort });
      await moveForwarding(vm, sshPort);
    }
    const outcome = await this.#awaitUp(machine, vm);
    if (outcome.kind === 'failed')
      throw new MachineError('boot-failed', `The machine did not go on from its saved memory: ${outcome.why}`);
  }

  async #takeDisk(machine: DriverMachine, file: string, { signal }: DriverRun): Promise<void> {
    const { size } = await stat(file);
    const { diskBytes } = virtualboxSettings.resolve(machine.settings);
    if (size > diskBytes)
      throw new MachineError(
        'invalid-setting',
        `The disk has ${size} bytes; a machine with ${diskBytes} cannot take it`,
      );
    await convertRaw({ vbox: await this.#vbox(), signal }, file, mediaOf(machine.paths).data);
    await rm(file, { force: true });
  }

  async #info(machine: DriverStateQuery): Promise<VmInfo | null> {
    const { uuid } = readMemory(machine.memory);
    return uuid === null ? null : await readVmInfo(await this.#vbox(), uuid, { timeoutMs: 20_000 });
  }

  async #vm(machine: DriverMachine, signal: AbortSignal): Promise<VirtualMachine> {
    return { vbox: await this.#vbox(), uuid: uuidOf(machine.id), signal };
  }

  async #vbox(): Promise<VBoxManage> {
    const path = await findVBoxManage(this.#computer);
    if (path === null) throw new MachineError('driver-unavailable', virtualboxMissing(this.#computer));
    return new VBoxManage(path, this.#computer.environment);
  }
}

async function whyUnfit(vbox: VBoxManage): Promise<string | null> {
  const { number, major, warning } = await vbox.version();
  if (major < leastMajor) return `VirtualBox ${number} is too old; Skiff needs ${leastMajor}.0 or newer. Upgrade it`;
  return warning === null
    ? null
    : `VirtualBox cannot run machines: ${warning} Load its module with: sudo /sbin/vboxconfig`;
}

async function knownInfo(vm: VirtualMachine): Promise<VmInfo> {
  const info = await readVmInfo(vm.vbox, vm.uuid, { signal: vm.signal });
  if (info !== null) return info;
  throw new MachineError('boot-failed', 'The machine was deleted in VirtualBox while it was being started');
}

function imageOf({ image }: DriverMachine): BootImage {
  if (image === null) throw new MachineError('internal', 'A VirtualBox machine is started without an image');
  return image;
}

/** A VDI is made of whole mebibytes; VirtualBox refuses to make a smaller one (VERR_VD_INVALID_SIZE). */
function seedDiskOf(machine: DriverMachine): Buffer {
  const { address, gateway, nameserver } = guestNetwork;
  return toWholeMebibytes(seedOf(machine, { mode: 'static', address, gateway, nameservers: [nameserver] }));
}
