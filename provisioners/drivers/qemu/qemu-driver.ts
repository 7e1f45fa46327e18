import { access, constants, rename, statfs, writeFile } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import { dirname } from 'node:path';
import { z } from 'zod';
import { bootProfiles } from '../../machine-image/boot-profile.ts';
import { writeSeed } from '../../machine-image/seed.ts';
import { MachineError } from '../../machines.ts';
import { isErrno } from '../../store/atomic-file.ts';
import type { ProcessIdentity } from '../../store/process-identity.ts';
import { isAlive, waitForEnd } from '../../store/process-identity.ts';
import type {
  Access,
  BootImage,
  Driver,
  DriverCapabilities,
  DriverMachine,
  DriverRun,
  DriverState,
  DriverStateQuery,
  StopRun,
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
import { dataDisk, provideDataDisk } from './data-disk.ts';
import { freeLocalPort } from './local-port.ts';
import { guestNetwork, qemuArguments } from './qemu-arguments.ts';
import { qemuSettings } from './qemu-settings.ts';
import { endQemu, findQemuProcess, forgetQemu } from './qemu-process.ts';
import type { Computer, QemuProgram } from './qemu-program.ts';
import { findQemu, qemuMissing } from './qemu-program.ts';
import { awaitStage, SerialReader } from './serial.ts';
import { QmpConnection } from './qmp.ts';

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

/** What the driver must know again: the port of the running (or last) QEMU, and how often boots had to be repeated. */
const memorySchema = z.object({ sshPort: z.int().min(1).max(65535).nullable(), repeatedBoots: z.int().nonnegative() });
type QemuMemory = z.infer<typeof memorySchema>;
const noMemory: QemuMemory = { sshPort: null, repeatedBoots: 0 };

/** Below this the engine's first layer would not fit; the data disk itself is sparse. */
const leastFreeBytes = 1 * GiB;

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
  readonly #computer: Computer;
  readonly #memoryFile: string;

  /** `memoryFile` keeps which accelerator works on this computer. */
  constructor(options: { readonly memoryFile: string; readonly computer?: Computer }) {
    this.#memoryFile = options.memoryFile;
    this.#computer = options.computer ?? { platform: process.platform, arch: process.arch, environment: process.env };
  }

  async availability(): Promise<string | null> {
    const { arch } = this.#computer;
    if (arch !== 'x64' && arch !== 'arm64') return `Skiff has no machine image for this computer's processor (${arch})`;
    return (await findQemu(this.#computer)) === null ? qemuMissing(this.#computer) : null;
  }

  async preCreateCheck(machine: DriverMachine): Promise<void> {
    await this.#qemu();
    const space = await statfs(dirname(machine.paths.folder));
    const freeBytes = space.bavail * space.bsize;
    if (freeBytes < leastFreeBytes) {
      const free = `${Math.floor(freeBytes / MiB)} MiB`;
      throw new MachineError(
        'no-space',
        `${machine.paths.folder} has ${free} of free space; a machine needs at least 1 GiB`,
      );
    }
  }

  async create(machine: DriverMachine, run: DriverRun): Promise<void> {
    await this.#writeDisks(machine, run.signal);
  }

  async start(machine: DriverMachine, run: DriverRun): Promise<void> {
    const running = await findQemuProcess(machine.paths);
    if (running !== null) {
      if (await hasBooted(machine.paths.serialLog)) return;
      // Whoever started it died before it was up; nobody knows what it hangs at.
      await endQemu(running);
    }
    const { image } = machine;
    if (image === null) throw new MachineError('image-unavailable', 'There is no machine image to start from');
    const qemu = await this.#qemu();
    await this.#writeDisks(machine, run.signal);
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
        const args = this.#arguments(machine, { accelerator, image, sshPort });
        return await attemptBoot({ program: qemu.path, arguments: args, paths: machine.paths, patience, run });
      },
    });
    const passedOver = [...unusable, ...booted.passedOver];
    if (booted.isNews)
      await rememberAccelerator(this.#memoryFile, key, { chosen: booted.accelerator, passedOver: booted.passedOver });
    const repeatedBoots = memory.repeatedBoots + booted.repeatedBoots;
    await machine.remember(
      { ...readMemory(machine.memory), repeatedBoots },
      {
        qemu: qemu.version,
        accelerator: describeAccelerator(booted.accelerator),
        'accelerators passed over': passedOver.join('; ') || 'none',
        'last boot': `${(booted.elapsedMs / 1000).toFixed(1)} s`,
        'repeated boots': String(repeatedBoots),
      },
    );
  }

  async stop(machine: DriverMachine, run: StopRun): Promise<void> {
    const identity = await findQemuProcess(machine.paths);
    if (identity === null) return;
    const deadline = performance.now() + run.graceMs;
    const { signal } = run;
    run.tell({ detail: 'asking the machine to power off' });
    // A guest hears its button only when it is all up, which is a moment after its engine answers.
    await awaitStage(machine.paths.serialLog, { stage: 'ready', timeoutMs: Math.min(run.graceMs, 3_000), signal });
    const pressed = await pressPowerButton(machine.paths.qmpSocket);
    // A guest whose button handler is dead or not up yet does not hear it; then it is told over SSH.
    if (!pressed || !(await waitForEnd(identity, { timeoutMs: Math.min(run.graceMs, 10_000), signal }))) {
      await powerOffInside(run, { identity, deadline });
    }
    if (!(await waitForEnd(identity, { timeoutMs: Math.max(0, deadline - performance.now()), signal }))) {
      run.tell({ detail: 'it does not power off; ending it' });
      await quit(machine.paths.qmpSocket, identity);
    }
    await forgetQemu(machine.paths);
  }

  async kill(machine: DriverMachine): Promise<void> {
    const identity = await findQemuProcess(machine.paths);
    if (identity !== null) await endQemu(identity);
    await forgetQemu(machine.paths);
  }

  async remove(machine: DriverMachine): Promise<void> {
    await this.kill(machine);
  }

  async state(machine: DriverStateQuery): Promise<DriverState> {
    if ((await findQemuProcess(machine.paths)) !== null) return 'running';
    return (await isThere(machine.paths.dataDisk)) ? 'stopped' : 'absent';
  }

  async access(machine: DriverStateQuery): Promise<Access | null> {
    const { sshPort } = readMemory(machine.memory);
    if (sshPort === null || (await findQemuProcess(machine.paths)) === null) return null;
    return { kind: 'ssh', host: '127.0.0.1', port: sshPort, user: 'root', hostKey: null, jumps: [] };
  }

  #arguments(
    machine: DriverMachine,
    boot: { readonly accelerator: Accelerator; readonly image: BootImage; readonly sshPort: number },
  ): string[] {
    const { paths } = machine;
    const settings = qemuSettings.resolve(machine.settings);
    return qemuArguments({
      profile: bootProfiles[this.#computer.arch === 'arm64' ? 'arm64' : 'amd64'],
      name: machine.name,
      ...boot,
      cpus: settings.cpus,
      memoryBytes: settings.memoryBytes,
      dataDisk: dataDisk(paths.dataDisk, this.#computer.platform),
      seed: paths.seed,
      serialLog: paths.serialLog,
      pidFile: paths.pidFile,
      qmpSocket: paths.qmpSocket,
    });
  }

  async #writeDisks(machine: DriverMachine, signal: AbortSignal): Promise<void> {
    const { paths, keys } = machine;
    const { path: qemuPath } = await this.#qemu();
    const disk = dataDisk(paths.dataDisk, this.#computer.platform);
    await provideDataDisk({ disk, sizeBytes: qemuSettings.resolve(machine.settings).diskBytes, qemuPath, signal });
    const seed = writeSeed({
      name: machine.name,
      hostname: machine.name.replaceAll('.', '-').replace(/-+$/, ''),
      network: {
        mode: 'static',
        address: guestNetwork.address,
        gateway: guestNetwork.gateway,
        nameservers: [guestNetwork.nameserver],
      },
      hostKey: keys.host,
      authorizedKeys: [keys.identity.publicKey],
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

function readMemory(memory: Readonly<Record<string, unknown>>): QemuMemory {
  const parsed = memorySchema.safeParse(memory);
  return parsed.success ? parsed.data : noMemory;
}

async function keepPreviousLog(paths: {
  readonly serialLog: string;
  readonly previousSerialLog: string;
}): Promise<void> {
  try {
    await rename(paths.serialLog, paths.previousSerialLog);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

async function hasBooted(serialLog: string): Promise<boolean> {
  const events = await new SerialReader(serialLog).read();
  return events.some((event) => event.kind === 'stage' && event.stage === lastBootStage);
}

/** False when QEMU could not be told. */
async function pressPowerButton(socket: string | null): Promise<boolean> {
  if (socket === null) return false;
  try {
    using qmp = await QmpConnection.connect(socket);
    await qmp.execute('system_powerdown');
    return true;
  } catch {
    return false;
  }
}

async function powerOffInside(
  run: StopRun,
  options: { readonly identity: ProcessIdentity; readonly deadline: number },
): Promise<void> {
  const remainingMs = options.deadline - performance.now();
  if (remainingMs <= 0 || !(await isAlive(options.identity))) return;
  try {
    await run.powerOff(AbortSignal.any([run.signal, AbortSignal.timeout(Math.ceil(remainingMs))]));
  } catch (error) {
    run.signal.throwIfAborted();
    run.tell({ detail: `it cannot be told over SSH: ${error instanceof Error ? error.message : String(error)}` });
  }
}

/** QEMU's own end flushes its disk caches; a process that does not take it is killed. */
async function quit(socket: string | null, identity: ProcessIdentity): Promise<void> {
  if (socket !== null) {
    try {
      using qmp = await QmpConnection.connect(socket);
      await qmp.execute('quit');
    } catch {
      // It may end before it answers; whether it did is looked at below.
    }
    if (await waitForEnd(identity, { timeoutMs: 3_000 })) return;
  }
  await endQemu(identity);
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
