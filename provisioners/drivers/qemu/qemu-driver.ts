import { access, constants, rm, writeFile } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import { bootProfiles } from '../../machine-image/boot-profile.ts';
import { MachineError } from '../../machines.ts';
import { isErrno, isThere } from '../../store/atomic-file.ts';
import { isAlive, waitForEnd } from '../../store/process-identity.ts';
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
  ResizeRole,
  StopRun,
  SuspendRole,
} from '../driver.ts';
import type { Accelerator } from './accelerators.ts';
import {
  acceleratorCandidates,
  computerKey,
  describeAccelerator,
  recallAccelerator,
  rememberAccelerator,
} from './accelerators.ts';
import { bootGuest } from './boot.ts';
import { attemptBoot, lastBootStage } from './boot-attempt.ts';
import { dataDisk, provideDataDisk, takeDataDisk } from './data-disk.ts';
import { copyDisk } from '../vm/disk-copy.ts';
import { freeLocalPort } from '../vm/local-port.ts';
import { findPreparedStart } from './prepared-start.ts';
import type { QemuBoot } from './qemu-arguments.ts';
import { guestNetwork, qemuArguments } from './qemu-arguments.ts';
import { sharesOf } from '../../shares/share-setting.ts';
import { qemuSettings, wantsDevices } from './qemu-settings.ts';
import { findQemuProcess, forgetQemu } from './qemu-process.ts';
import type { QemuProgram } from './qemu-program.ts';
import { findQemu, qemuMissing } from './qemu-program.ts';
import { awaitStage, SerialReader } from '../vm/serial.ts';
import { QmpConnection } from './qmp.ts';
import { readMemory } from './remembered.ts';
import { keepPreviousLog } from '../vm/console-log.ts';
import { diskSnapshots } from '../vm/disk-snapshots.ts';
import type { Computer } from '../vm/find-program.ts';
import { thisComputer } from '../vm/find-program.ts';
import { requireSpace } from '../vm/free-space.ts';
import { seedOf } from '../vm/guest-seed.ts';
import { endVmProcess } from '../vm/vm-process.ts';
import { powerOffInside } from '../vm/power-off-inside.ts';
import { pressPowerButton, quitQemu } from './shutdown.ts';
import { forgetShares, offerShares, unplugShares } from './share-devices.ts';
import { resumeFromMemory, saveMemory } from './suspend.ts';
import { findVirtiofsd } from './virtiofsd.ts';

/** Machines as QEMU guests of this computer, without administrator rights: user networking, one forwarded port for SSH. */
export class QemuDriver implements Driver {
  readonly name = 'qemu';
  readonly title = 'QEMU';
  readonly capabilities: DriverCapabilities = {
    system: 'skiff-image',
    place: 'this-computer',
    console: 'serial-log',
  };
  readonly settings = qemuSettings;
  readonly snapshots = diskSnapshots({ isRunning: async ({ paths }) => (await findQemuProcess(paths)) !== null });
  readonly pause: PauseRole = {
    pause: (machine) => this.#setPaused(machine, true),
    resume: (machine) => this.#setPaused(machine, false),
  };
  readonly suspend: SuspendRole = { suspend: (machine, run) => this.#suspend(machine, run) };
  readonly resize: ResizeRole = { resize: (machine) => this.#resize(machine) };
  readonly copies: CopyRole = {
    writeDisk: (machine, file, run) => copyDisk(machine.paths.dataDisk, file, run.signal),
    takeDisk: (machine, file) =>
      takeDataDisk(dataDisk(machine.paths.dataDisk, this.#computer.platform), {
        file,
        sizeBytes: qemuSettings.resolve(machine.settings).diskBytes,
      }),
  };
  readonly #computer: Computer;
  readonly #memoryFile: string;

  /** `memoryFile` keeps which accelerator works on this computer. */
  constructor(options: { readonly memoryFile: string; readonly computer?: Computer }) {
    this.#memoryFile = options.memoryFile;
    this.#computer = options.computer ?? thisComputer();
  }

  async availability(): Promise<string | null> {
    const { arch } = this.#computer;
    if (arch !== 'x64' && arch !== 'arm64') return `Skiff has no machine image for this computer's processor (${arch})`;
    try {
      return (await findQemu(this.#computer)) === null ? qemuMissing(this.#computer) : null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  async preCreateCheck(machine: DriverMachine): Promise<void> {
    await this.#qemu();
    if (wantsDevices(machine.settings)) await findVirtiofsd(this.#computer);
    await requireSpace(machine.paths);
  }

  async create(machine: DriverMachine, run: DriverRun): Promise<void> {
    await this.#writeDisks(machine, run.signal);
  }

  async start(machine: DriverMachine, run: DriverRun): Promise<void> {
    const running = await findQemuProcess(machine.paths);
    if (running !== null) {
      if (readMemory(machine.memory).isPaused) return await this.#setPaused(machine, false);
      if (await hasBooted(machine.paths.serialLog)) return;
      // Whoever started it died before it was up; nobody knows what it hangs at.
      await endVmProcess(running);
    }
    const { image } = machine;
    if (image === null) throw new MachineError('image-unavailable', 'There is no machine image to start from');
    const qemu = await this.#qemu();
    await this.#writeDisks(machine, run.signal);
    if (await this.#resumeFromMemory(machine, { qemu, image, run })) return;
    const key = computerKey({
      qemu: qemu.version,
      kernel: release(),
      processor: cpus()[0]?.model ?? '',
      arch: this.#computer.arch,
    });
    const memory = readMemory(machine.memory);
    const unusable: string[] = [];
    const booted = await bootGuest({
      candidates: await this.#candidates(unusable),
      memory: await recallAccelerator(this.#memoryFile, key),
      run,
      attempt: async (accelerator, patience) => {
        await forgetQemu(machine.paths);
        await keepPreviousLog(machine.paths);
        const sshPort = await freeLocalPort(readMemory(machine.memory).sshPort);
        // Before QEMU runs: whoever finds it running must know its port.
        await machine.remember({ ...memory, sshPort });
        const boot = this.#boot(machine, { accelerator, image, sshPort });
        const prepared = await findPreparedStart(boot, qemu.version);
        const { paths } = machine;
        return await attemptBoot({ program: qemu.path, boot, paths, patience, run, prepared });
      },
    });
    const passedOver = [...unusable, ...booted.passedOver];
    if (booted.isNews)
      await rememberAccelerator(this.#memoryFile, key, { chosen: booted.accelerator, passedOver: booted.passedOver });
    const repeatedBoots = memory.repeatedBoots + booted.repeatedBoots;
    const { cpus: cpuCount, memoryBytes } = qemuSettings.resolve(machine.settings);
    const lastBoot = {
      accelerator: booted.accelerator,
      systemDisk: image.systemDisk,
      cpus: cpuCount,
      memoryBytes,
      qemu: qemu.version,
      takesShares: this.#takesShares(machine),
    };
    await machine.remember(
      { ...readMemory(machine.memory), repeatedBoots, lastBoot, isPaused: false },
      {
        qemu: qemu.version,
        accelerator: describeAccelerator(booted.accelerator),
        'accelerators passed over': passedOver.join('; ') || 'none',
        'last boot': `${(booted.elapsedMs / 1000).toFixed(1)} s${booted.isContinued ? ', from prepared memory' : ''}`,
        'repeated boots': String(repeatedBoots),
      },
    );
    await this.#plugShares(machine, run);
  }

  async stop(machine: DriverMachine, run: StopRun): Promise<void> {
    const identity = await findQemuProcess(machine.paths);
    if (identity === null) return;
    const deadline = performance.now() + run.graceMs;
    const { signal } = run;
    // A guest that stands still hears nothing.
    await this.#setPaused(machine, false);
    run.tell({ detail: 'asking the machine to power off' });
    // A guest hears its button only when it is all up, which is a moment after its engine answers.
    await awaitStage(machine.paths.serialLog, { stage: 'ready', timeoutMs: Math.min(run.graceMs, 3_000), signal });
    const pressed = await pressPowerButton(machine.paths.qmpSocket);
    // A guest whose button handler is dead or not up yet does not hear it; then it is told over SSH.
    if (!pressed || !(await waitForEnd(identity, { timeoutMs: Math.min(run.graceMs, 10_000), signal }))) {
      const remainingMs = Math.ceil(deadline - performance.now());
      if (remainingMs > 0 && (await isAlive(identity))) await powerOffInside(run, remainingMs);
    }
    if (!(await waitForEnd(identity, { timeoutMs: Math.max(0, deadline - performance.now()), signal }))) {
      run.tell({ detail: 'it does not power off; ending it' });
      await quitQemu(machine.paths.qmpSocket, identity);
    }
    await forgetQemu(machine.paths);
    await forgetShares(machine.paths);
  }

  async kill(machine: DriverMachine): Promise<void> {
    const identity = await findQemuProcess(machine.paths);
    if (identity !== null) await endVmProcess(identity);
    await forgetQemu(machine.paths);
    await forgetShares(machine.paths);
    await rm(machine.paths.memoryState, { force: true });
    await rm(`${machine.paths.memoryState}.new`, { force: true });
  }

  async remove(machine: DriverMachine): Promise<void> {
    await this.kill(machine);
  }

  async state(machine: DriverStateQuery): Promise<DriverState> {
    if ((await findQemuProcess(machine.paths)) !== null)
      return readMemory(machine.memory).isPaused ? 'paused' : 'running';
    if (await isThere(machine.paths.memoryState)) return 'suspended';
    return (await isThere(machine.paths.dataDisk)) ? 'stopped' : 'absent';
  }

  async access(machine: DriverStateQuery): Promise<Access | null> {
    const { sshPort, isPaused } = readMemory(machine.memory);
    if (isPaused || sshPort === null || (await findQemuProcess(machine.paths)) === null) return null;
    return { kind: 'ssh', host: '127.0.0.1', port: sshPort, user: 'root', hostKey: null, jumps: [] };
  }

  async #setPaused(machine: DriverMachine, isPaused: boolean): Promise<void> {
    const memory = readMemory(machine.memory);
    if (memory.isPaused === isPaused || (await findQemuProcess(machine.paths)) === null) return;
    using qmp = await QmpConnection.connect(controlSocket(machine));
    // Noted between the two: a guest that runs and counts as paused is only resumed again.
    if (isPaused) await machine.remember({ ...memory, isPaused });
    await qmp.execute(isPaused ? 'stop' : 'cont');
    if (!isPaused) await machine.remember({ ...memory, isPaused });
  }

  async #suspend(machine: DriverMachine, run: DriverRun): Promise<void> {
    const identity = await findQemuProcess(machine.paths);
    if (identity === null) return;
    const memory = readMemory(machine.memory);
    if (memory.lastBoot?.takesShares === true) await unplugShares(controlSocket(machine), machine.paths);
    // Should this process end in the middle, the guest stands still: it counts as paused then, and can be resumed.
    await machine.remember({ ...memory, isPaused: true });
    try {
      await saveMemory({ socket: controlSocket(machine), paths: machine.paths, run });
    } catch (error) {
      await machine.remember({ ...memory, isPaused: false });
      await this.#plugShares(machine, run);
      throw error;
    }
    if (!(await waitForEnd(identity, { timeoutMs: 10_000, signal: run.signal }))) await endVmProcess(identity);
    await forgetQemu(machine.paths);
    await machine.remember({ ...readMemory(machine.memory), isPaused: false });
  }

  /** False where there is no saved memory, or none that this QEMU and this image can go on with: it is thrown away then. */
  async #resumeFromMemory(
    machine: DriverMachine,
    options: { readonly qemu: QemuProgram; readonly image: BootImage; readonly run: DriverRun },
  ): Promise<boolean> {
    const { paths } = machine;
    const { qemu, image, run } = options;
    if (!(await isThere(paths.memoryState))) return false;
    const memory = readMemory(machine.memory);
    const { lastBoot } = memory;
    const isSame = lastBoot?.qemu === qemu.version && lastBoot.systemDisk === image.systemDisk;
    if (isSame && paths.qmpSocket !== null) {
      run.tell({ detail: 'reading its memory' });
      const sshPort = await freeLocalPort(memory.sshPort);
      await machine.remember({ ...memory, sshPort });
      const { accelerator, cpus: cpuCount, memoryBytes } = lastBoot;
      const booted = { cpus: cpuCount, memoryBytes, takesShares: lastBoot.takesShares };
      const args = qemuArguments(this.#boot(machine, { accelerator, image, sshPort }, booted));
      const control = { ...paths, qmpSocket: paths.qmpSocket };
      if ((await resumeFromMemory({ program: qemu.path, arguments: args, paths: control, run })) === 'resumed') {
        await this.#plugShares(machine, run);
        return true;
      }
    }
    await rm(paths.memoryState, { force: true });
    return false;
  }

  /** A machine that wants them may come from another computer. */
  #takesShares(machine: DriverMachine): boolean {
    return this.#computer.platform === 'linux' && wantsDevices(machine.settings);
  }

  async #plugShares(machine: DriverMachine, run: DriverRun): Promise<void> {
    if (readMemory(machine.memory).lastBoot?.takesShares !== true) return;
    const way = await offerShares(controlSocket(machine), {
      shares: sharesOf(this, machine.settings),
      computer: this.#computer,
      paths: machine.paths,
    });
    run.tell({ detail: `its folders come by ${way}` });
    await machine.remember(machine.memory, { 'shared folders by': way });
  }

  /** The disk of a running machine grows at once, its memory becomes less at once; processors and more memory wait for its next start. */
  async #resize(machine: DriverMachine): Promise<readonly string[]> {
    const { cpus: cpuCount, memoryBytes, diskBytes } = qemuSettings.resolve(machine.settings);
    const { lastBoot } = readMemory(machine.memory);
    using qmp = await QmpConnection.connect(controlSocket(machine));
    await qmp.execute('block_resize', { arguments: { 'node-name': 'data', size: diskBytes } });
    const bootedBytes = lastBoot?.memoryBytes ?? 0;
    const isTaken = await takeMemory(qmp, Math.min(memoryBytes, bootedBytes));
    const waitsForMemory = memoryBytes > bootedBytes || (memoryBytes < bootedBytes && !isTaken);
    return [...(lastBoot?.cpus === cpuCount ? [] : ['cpus']), ...(waitsForMemory ? ['memoryBytes'] : [])];
  }

  #boot(
    machine: DriverMachine,
    boot: { readonly accelerator: Accelerator; readonly image: BootImage; readonly sshPort: number },
    settings: { readonly cpus: number; readonly memoryBytes: number; readonly takesShares: boolean } = {
      ...qemuSettings.resolve(machine.settings),
      takesShares: this.#takesShares(machine),
    },
  ): QemuBoot {
    const { paths } = machine;
    return {
      profile: bootProfiles[this.#computer.arch === 'arm64' ? 'arm64' : 'amd64'],
      name: machine.name,
      ...boot,
      cpus: settings.cpus,
      memoryBytes: settings.memoryBytes,
      takesShares: settings.takesShares,
      dataDisk: dataDisk(paths.dataDisk, this.#computer.platform),
      seed: paths.seed,
      serialLog: paths.serialLog,
      pidFile: paths.pidFile,
      qmpSocket: paths.qmpSocket,
      givesMemoryBack: this.#computer.platform !== 'win32',
    };
  }

  async #writeDisks(machine: DriverMachine, signal: AbortSignal): Promise<void> {
    const { paths } = machine;
    const { path: qemuPath } = await this.#qemu();
    const disk = dataDisk(paths.dataDisk, this.#computer.platform);
    await provideDataDisk({ disk, sizeBytes: qemuSettings.resolve(machine.settings).diskBytes, qemuPath, signal });
    const seed = seedOf(machine, {
      mode: 'static',
      address: guestNetwork.address,
      gateway: guestNetwork.gateway,
      nameservers: [guestNetwork.nameserver],
    });
    await writeFile(paths.seed, seed, { mode: 0o600 });
  }

  /** Candidates whose device this user may open; why the others are not asked goes into `unusable`. */
  async #candidates(unusable: string[]): Promise<readonly Accelerator[]> {
    const all = acceleratorCandidates(this.#computer);
    if (this.#computer.platform !== 'linux') return all;
    try {
      await access('/dev/kvm', constants.R_OK | constants.W_OK);
      return all;
    } catch (error) {
      unusable.push(
        isErrno(error, 'ENOENT')
          ? 'kvm: this computer has no /dev/kvm (virtualisation is off in its firmware, or the kernel module is not loaded)'
          : 'kvm: this user may not open /dev/kvm (add the user to the group kvm and log in again)',
      );
      return all.filter(({ name }) => name !== 'kvm');
    }
  }

  async #qemu(): Promise<QemuProgram> {
    const qemu = await findQemu(this.#computer);
    if (qemu === null) throw new MachineError('driver-unavailable', qemuMissing(this.#computer));
    return qemu;
  }
}

function controlSocket({ name, paths }: DriverMachine): string {
  if (paths.qmpSocket !== null) return paths.qmpSocket;
  throw new MachineError('not-supported', `Machine "${name}" cannot be controlled while it runs on this system`);
}

async function hasBooted(serialLog: string): Promise<boolean> {
  const events = await new SerialReader(serialLog).read();
  return events.some((event) => event.kind === 'stage' && event.stage === lastBootStage);
}

/** The guest is told to hand back what it has above `bytes`, and does so by and by. False where it has no balloon: its driver is not up yet. */
async function takeMemory(qmp: QmpConnection, bytes: number): Promise<boolean> {
  try {
    await qmp.execute('balloon', { arguments: { value: bytes } });
    return true;
  } catch (error) {
    if (error instanceof Error && /balloon/i.test(error.message)) return false;
    throw error;
  }
}
