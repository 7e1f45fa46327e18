import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MachineError } from '../../machines.ts';
import { isThere } from '../../store/atomic-file.ts';
import type { MachinePaths } from '../../store/home.ts';
import type { ProcessIdentity } from '../../store/process-identity.ts';
import { waitForEnd } from '../../store/process-identity.ts';
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
} from '../driver.ts';
import type { SshOutcome } from '../vm/await-ssh.ts';
import { awaitSsh } from '../vm/await-ssh.ts';
import { keepPreviousLog } from '../vm/console-log.ts';
import { copyDisk, provideCopy } from '../vm/disk-copy.ts';
import { diskSnapshots } from '../vm/disk-snapshots.ts';
import type { Computer } from '../vm/find-program.ts';
import { thisComputer } from '../vm/find-program.ts';
import { requireSpace } from '../vm/free-space.ts';
import { toldAddress } from '../vm/guest-address.ts';
import { seedOf } from '../vm/guest-seed.ts';
import { macLeasesFile, readMacLease } from '../vm/mac-leases.ts';
import { powerOffInside } from '../vm/power-off-inside.ts';
import { provideRawDisk, takeRawDisk } from '../vm/raw-disk.ts';
import { findVmProcess, forgetVmProcess } from '../vm/vm-process.ts';
import { shareDevices } from '../../shares/share.ts';
import { sharesOf } from '../../shares/share-setting.ts';
import { askFor, askState } from './control.ts';
import { readMemory } from './remembered.ts';
import { macAddressOf, vfkitArguments } from './vfkit-arguments.ts';
import { controlSocketOf, endVfkit, filesOf, startVfkit } from './vfkit-process.ts';
import type { VfkitProgram } from './vfkit-program.ts';
import { findVfkit, vfkitMissing } from './vfkit-program.ts';
import { vfkitSettings } from './vfkit-settings.ts';

const bootTries = 3;
const usualBootMs = 60_000;

/**
 * Machines of Apple's Virtualization framework, by vfkit: direct boot of the image's kernel, disks as raw files (APFS keeps their holes), the
 * framework's NAT network, on which this computer reaches each machine at an address of its own. A machine is one process.
 */
export class VfkitDriver implements Driver {
  readonly name = 'vfkit';
  readonly title = 'Apple Virtualization (vfkit)';
  readonly capabilities: DriverCapabilities = { system: 'skiff-image', place: 'this-computer', console: 'serial-log' };
  readonly settings = vfkitSettings;
  readonly snapshots = diskSnapshots({
    isRunning: async ({ paths }) => (await findVmProcess(filesOf(paths))) !== null,
  });
  readonly pause: PauseRole = {
    pause: (machine) => this.#become(machine, 'paused'),
    resume: (machine) => this.#become(machine, 'running'),
  };
  readonly copies: CopyRole = {
    writeDisk: ({ paths }, file, run) => copyDisk(paths.dataDisk, file, run.signal),
    takeDisk: ({ paths, settings }, file) =>
      takeRawDisk(file, { path: paths.dataDisk, sizeBytes: vfkitSettings.resolve(settings).diskBytes }),
  };
  readonly #computer: Computer;
  readonly #leasesFile: string;
  readonly #sshPort: number;
  readonly #bootMs: number;

  constructor(
    options: {
      readonly computer?: Computer;
      readonly leasesFile?: string;
      /** Where machines' SSH listens. */
      readonly sshPort?: number;
      /** How long a machine may take until its SSH answers, before it is started again. */
      readonly bootMs?: number;
    } = {},
  ) {
    this.#computer = options.computer ?? thisComputer();
    this.#leasesFile = options.leasesFile ?? macLeasesFile;
    this.#sshPort = options.sshPort ?? 22;
    this.#bootMs = options.bootMs ?? usualBootMs;
  }

  async availability(): Promise<string | null> {
    const { platform, arch } = this.#computer;
    if (platform !== 'darwin') return "Apple's Virtualization framework is there on macOS alone. Use --driver qemu";
    // On Intel the framework boots kernels that unpack themselves; the image's is unpacked already.
    if (arch !== 'arm64') return 'Skiff uses vfkit on Macs with Apple silicon alone. Use --driver qemu';
    try {
      return (await findVfkit(this.#computer)) === null ? vfkitMissing : null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  async preCreateCheck(machine: DriverMachine): Promise<void> {
    const why = await this.availability();
    if (why !== null) throw new MachineError('driver-unavailable', why);
    // A path that vfkit cannot be given is refused now, not at the first start; the image is made later.
    this.#arguments(machine, machine.image ?? { kernel: '', initrd: '', commandLine: '' });
    await requireSpace(machine.paths);
  }

  async create(machine: DriverMachine, run: DriverRun): Promise<void> {
    run.signal.throwIfAborted();
    await this.#writeDisks(machine);
  }

  async start(machine: DriverMachine, run: DriverRun): Promise<void> {
    run.signal.throwIfAborted();
    const running = await findVmProcess(filesOf(machine.paths));
    if (running !== null) {
      await this.#become(machine, 'running');
      // Whoever started it may have died before it was up.
      if ((await this.#awaitUp(machine, { identity: running, run })).kind === 'up') return;
      await endVfkit(machine.paths, running);
    }
    await this.#boot(machine, run);
  }

  /** By SSH alone: Debian's kernel has no driver for the power button of Apple's framework. */
  async stop(machine: DriverMachine, run: StopRun): Promise<void> {
    const identity = await findVmProcess(filesOf(machine.paths));
    if (identity === null) return;
    const deadline = performance.now() + run.graceMs;
    await this.#become(machine, 'running');
    run.tell({ detail: 'telling the machine to power off' });
    await powerOffInside(run, run.graceMs);
    const timeoutMs = Math.max(0, deadline - performance.now());
    if (!(await waitForEnd(identity, { timeoutMs, signal: run.signal }))) {
      run.tell({ detail: 'it does not power off; ending it' });
      await endVfkit(machine.paths, identity);
    }
    await forgetVmProcess(filesOf(machine.paths));
  }

  async kill({ paths }: DriverMachine): Promise<void> {
    const identity = await findVmProcess(filesOf(paths));
    if (identity !== null) await endVfkit(paths, identity);
    await forgetVmProcess(filesOf(paths));
  }

  async remove(machine: DriverMachine): Promise<void> {
    await this.kill(machine);
  }

  async state({ paths }: DriverStateQuery): Promise<DriverState> {
    if ((await findVmProcess(filesOf(paths))) !== null) return (await askState(controlSocketOf(paths))) ?? 'running';
    return (await isThere(paths.dataDisk)) ? 'stopped' : 'absent';
  }

  async access(machine: DriverStateQuery): Promise<Access | null> {
    const { address } = readMemory(machine.memory);
    if (address === null || (await this.state(machine)) !== 'running') return null;
    return { kind: 'ssh', host: address, port: this.#sshPort, user: 'root', hostKey: null, jumps: [] };
  }

  async #boot(machine: DriverMachine, run: DriverRun): Promise<void> {
    const vfkit = await this.#vfkit();
    const image = imageOf(machine);
    await this.#writeDisks(machine);
    await this.#provideSystemDisk(machine, image, run);
    let why = '';
    for (let tryNumber = 1; tryNumber <= bootTries; tryNumber++) {
      await forgetVmProcess(filesOf(machine.paths));
      await keepPreviousLog(machine.paths);
      const started = await startVfkit({
        program: vfkit.path,
        arguments: this.#arguments(machine, image),
        paths: machine.paths,
        environment: this.#computer.environment,
      });
      const watch = new AbortController();
      const watched = { ...run, signal: AbortSignal.any([run.signal, watch.signal]) };
      try {
        const outcome = await Promise.race([
          this.#awaitUp(machine, { identity: started.identity, run: watched }),
          started.ended.then(
            ({ complaint }) => ({ kind: 'ended', why: complaint || 'it went off by itself' }) as const,
          ),
        ]);
        if (outcome.kind === 'up') return await machine.remember(readMemory(machine.memory), { vfkit: vfkit.version });
        why = outcome.why;
      } catch (error) {
        await this.kill(machine);
        throw error;
      } finally {
        watch.abort();
      }
      await this.kill(machine);
      const refusal = refusalOf(why);
      if (refusal !== null) throw refusal;
      run.tell({ detail: why.split('\n', 1)[0] ?? why });
    }
    throw new MachineError('boot-failed', `The machine did not start: ${why}\n${localNetworkHint}`);
  }

  async #awaitUp(
    machine: DriverMachine,
    options: { readonly identity: ProcessIdentity; readonly run: DriverRun },
  ): Promise<SshOutcome> {
    const { serialLog } = machine.paths;
    let address: string | null = null;
    const outcome = await awaitSsh({
      address: async () => {
        // The machine itself knows best; what the DHCP server gave counts where its console is not heard.
        address = (await toldAddress(serialLog)) ?? (await readMacLease(this.#leasesFile, macAddressOf(machine.id)));
        return address === null ? null : { host: address, port: this.#sshPort };
      },
      serialLog,
      isRunning: async () => (await findVmProcess(filesOf(machine.paths)))?.pid === options.identity.pid,
      timeoutMs: this.#bootMs,
      signal: options.run.signal,
    });
    if (outcome.kind === 'up') await machine.remember({ ...readMemory(machine.memory), address });
    return outcome;
  }

  /** Nothing for a machine that does not run, or is so already. */
  async #become({ paths }: DriverMachine, wanted: 'paused' | 'running'): Promise<void> {
    const socket = controlSocketOf(paths);
    if ((await findVmProcess(filesOf(paths))) === null) return;
    const state = await askState(socket);
    if (state === null || state === wanted) return;
    await askFor(socket, wanted === 'paused' ? 'Pause' : 'Resume');
  }

  async #writeDisks(machine: DriverMachine): Promise<void> {
    const { paths, settings } = machine;
    await provideRawDisk(paths.dataDisk, vfkitSettings.resolve(settings).diskBytes);
    await writeFile(paths.seed, seedOf(machine, { mode: 'dhcp' }), { mode: 0o600 });
  }

  /** vfkit opens every disk for writing, so each machine has a copy of the image's; APFS shares its blocks. */
  async #provideSystemDisk(machine: DriverMachine, image: BootImage, run: DriverRun): Promise<void> {
    const memory = readMemory(machine.memory);
    const { systemDisk: from } = image;
    if (await provideCopy({ from, path: systemDiskOf(machine.paths), isCurrent: memory.systemDisk === from, run }))
      await machine.remember({ ...memory, systemDisk: from });
  }

  #arguments(machine: DriverMachine, image: Pick<BootImage, 'kernel' | 'initrd' | 'commandLine'>): string[] {
    const { paths } = machine;
    const { cpus, memoryBytes } = vfkitSettings.resolve(machine.settings);
    return vfkitArguments({
      cpus,
      memoryBytes,
      image,
      disks: [systemDiskOf(paths), paths.dataDisk, paths.seed],
      macAddress: macAddressOf(machine.id),
      shares: shareDevices(sharesOf(this, machine.settings)),
      serialLog: paths.serialLog,
      controlSocket: controlSocketOf(paths),
    });
  }

  async #vfkit(): Promise<VfkitProgram> {
    const vfkit = await findVfkit(this.#computer);
    if (vfkit === null) throw new MachineError('driver-unavailable', vfkitMissing);
    return vfkit;
  }
}

const localNetworkHint =
  'Should macOS have asked whether Skiff may reach the local network, it must be allowed to (System Settings, Privacy & Security, Local Network).';

const systemDiskOf = ({ folder }: Pick<MachinePaths, 'folder'>): string => join(folder, 'system.disk');

function imageOf({ image }: DriverMachine): BootImage {
  if (image === null) throw new MachineError('image-unavailable', 'There is no machine image to start from');
  return image;
}

/** What another try does not change. */
function refusalOf(complaint: string): MachineError | null {
  if (/entitlement/i.test(complaint)) {
    const message = `This vfkit may not make virtual machines: it is not signed for it. Install it with: brew install vfkit. It says: ${complaint}`;
    return new MachineError('driver-unavailable', message);
  }
  if (/virtualization is not (available|supported)|not supported on this/i.test(complaint))
    return new MachineError('driver-unavailable', `This Mac cannot make virtual machines. vfkit says: ${complaint}`);
  if (/exceeds the limit/i.test(complaint)) {
    const message = `This Mac runs as many virtual machines as it may. End another one. vfkit says: ${complaint}`;
    return new MachineError('quota', message);
  }
  if (/invalid virtual machine configuration|must be uncompressed|unknown (option|flag)/i.test(complaint))
    return new MachineError('boot-failed', `vfkit does not take the machine: ${complaint}`);
  return null;
}
