import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MachineError } from '../../machines.ts';
import { isThere, readIfThere, writeFileAtomic } from '../../store/atomic-file.ts';
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
  SnapshotRole,
  StopRun,
  SuspendRole,
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
import { seedOf, toWholeMebibytes } from '../vm/guest-seed.ts';
import { powerOffInside } from '../vm/power-off-inside.ts';
import { provideRawDisk, takeRawDisk } from '../vm/raw-disk.ts';
import { SharedLook } from '../vm/shared-look.ts';
import { leasesFilesOf, readLease } from './dhcp-leases.ts';
import { filesOf } from './machine-files.ts';
import { readMemory } from './remembered.ts';
import { makeSparse } from './sparse-file.ts';
import { describeRaw } from './vmdk.ts';
import type { Vmrun, VmrunCall } from './vmrun.ts';
import { findVmrun, VmrunError, vmwareMissing } from './vmrun.ts';
import { vmwareSettings } from './vmware-settings.ts';
import { isSuspended, vmwareMacAddress, writeVmx } from './vmx.ts';

const bootTries = 2;
const usualBootMs = 90_000;
const endMs = 30_000;
const pauseMs = 200;

/**
 * Machines of VMware Fusion (macOS) and Workstation (Windows, Linux). All that there is of one lies in its folder: the vmx file, which is
 * written anew at each boot, and raw disks with a descriptor each. It is reached at the address that VMware's NAT network gives it; neither
 * VMware's tools in the guest nor administrator rights are needed.
 */
export class VmwareDriver implements Driver {
  readonly name = 'vmware';
  readonly title = 'VMware Fusion, VMware Workstation';
  readonly capabilities: DriverCapabilities = { system: 'skiff-image', place: 'this-computer', console: 'serial-log' };
  readonly settings = vmwareSettings;
  readonly snapshots?: SnapshotRole;
  readonly pause: PauseRole = {
    pause: (machine, run) => this.#setPaused(machine, true, run),
    resume: (machine, run) => this.#setPaused(machine, false, run),
  };
  readonly suspend: SuspendRole = { suspend: (machine, run) => this.#suspend(machine, run) };
  readonly copies?: CopyRole;
  readonly #running = new SharedLook(async () => (await this.#vmrun()).running({ timeoutMs: 20_000 }));
  readonly #computer: Computer;
  readonly #leasesFiles: readonly string[];
  readonly #sshPort: number;
  readonly #bootMs: number;

  constructor(
    options: {
      readonly computer?: Computer;
      /** Where the DHCP servers of VMware's network note what they gave. */
      readonly leasesFiles?: readonly string[];
      /** Where machines' SSH listens. */
      readonly sshPort?: number;
      /** How long a machine may take until its SSH answers, before it is started again. */
      readonly bootMs?: number;
    } = {},
  ) {
    this.#computer = options.computer ?? thisComputer();
    this.#leasesFiles = options.leasesFiles ?? leasesFilesOf(this.#computer);
    this.#sshPort = options.sshPort ?? 22;
    this.#bootMs = options.bootMs ?? usualBootMs;
    // A copy of a sparse file is a full one on Windows.
    if (this.#computer.platform === 'win32') return;
    this.snapshots = diskSnapshots({
      isRunning: async (machine) => {
        const state = await this.state(machine);
        return state === 'running' || state === 'paused';
      },
      letGo: (machine) => this.#forgetMemory(machine),
    });
    this.copies = {
      writeDisk: ({ paths }, file, run) => copyDisk(paths.dataDisk, file, run.signal),
      takeDisk: ({ paths, settings }, file) =>
        takeRawDisk(file, { path: paths.dataDisk, sizeBytes: vmwareSettings.resolve(settings).diskBytes }),
    };
  }

  async availability(): Promise<string | null> {
    const { platform, arch } = this.#computer;
    if (arch !== 'x64' && !(platform === 'darwin' && arch === 'arm64'))
      return `VMware makes machines on x86-64 computers and Macs alone, this one is ${arch}. Use --driver qemu`;
    const vmrun = await findVmrun(this.#computer);
    return vmrun === null ? vmwareMissing(this.#computer) : await vmrun.unfitness();
  }

  async preCreateCheck(machine: DriverMachine): Promise<void> {
    const why = await this.availability();
    if (why !== null) throw new MachineError('driver-unavailable', why);
    await requireSpace(machine.paths);
  }

  async create(machine: DriverMachine, run: DriverRun): Promise<void> {
    run.signal.throwIfAborted();
    await this.#writeDisks(machine, run);
    // Last: a machine is there when its vmx file is.
    await this.#writeVmx(machine);
  }

  async start(machine: DriverMachine, run: DriverRun): Promise<void> {
    const { signal } = run;
    signal.throwIfAborted();
    switch (await this.state(machine)) {
      case 'absent':
        throw new MachineError(
          'boot-failed',
          `VMware's files of machine "${machine.name}" are gone: it was deleted in VMware's window. Remove it here: skiff machine rm ${machine.name}`,
        );
      case 'paused':
        return await this.#setPaused(machine, false, run);
      case 'suspended':
        return await this.#goOnFromMemory(machine, run);
      case 'running':
        // Whoever started it may have died before it was up.
        if ((await this.#awaitUp(machine, run)).kind === 'up') return;
        break;
      case 'stopped':
    }
    await this.#boot(machine, run);
  }

  /** By SSH alone: `vmrun stop soft` needs VMware's tools in the guest. */
  async stop(machine: DriverMachine, run: StopRun): Promise<void> {
    const state = await this.state(machine);
    if (state === 'absent' || state === 'stopped') return;
    const deadline = performance.now() + run.graceMs;
    if (state === 'paused') await this.#setPaused(machine, false, run);
    if (state !== 'suspended') {
      run.tell({ detail: 'telling the machine to power off' });
      await powerOffInside(run, run.graceMs);
      if (await this.#awaitEnd(machine, { timeoutMs: deadline - performance.now(), signal: run.signal })) return;
      run.tell({ detail: 'it does not power off; ending it' });
    }
    await this.kill(machine, run);
  }

  async kill(machine: DriverMachine, { signal }: DriverRun): Promise<void> {
    const { vmx } = filesOf(machine.paths);
    if (!(await isThere(vmx))) return;
    await this.#end(machine, await this.#vmrun(), signal);
    await this.#forgetMemory(machine);
  }

  async remove(machine: DriverMachine, run: DriverRun): Promise<void> {
    const { folder, disks } = filesOf(machine.paths);
    // Where VMware is gone, nothing of it runs any more.
    if ((await findVmrun(this.#computer)) !== null) await this.kill(machine, run);
    await rm(folder, { recursive: true, force: true });
    for (const { raw, descriptor } of disks) {
      await rm(raw, { force: true });
      await rm(descriptor, { force: true });
    }
    await machine.remember({});
  }

  async state(machine: DriverStateQuery): Promise<DriverState> {
    const { vmx } = filesOf(machine.paths);
    const text = await readIfThere(vmx);
    if (text === null) return 'absent';
    if (await (await this.#vmrun()).isAmong(vmx, await this.#running.get()))
      return readMemory(machine.memory).isPaused ? 'paused' : 'running';
    return isSuspended(text) ? 'suspended' : 'stopped';
  }

  async access(machine: DriverStateQuery): Promise<Access | null> {
    const { address } = readMemory(machine.memory);
    if (address === null || (await this.state(machine)) !== 'running') return null;
    return { kind: 'ssh', host: address, port: this.#sshPort, user: 'root', hostKey: null, jumps: [] };
  }

  async #boot(machine: DriverMachine, run: DriverRun): Promise<void> {
    const { signal } = run;
    const vmrun = await this.#vmrun();
    const { vmx } = filesOf(machine.paths);
    let why = '';
    for (let tryNumber = 1; tryNumber <= bootTries; tryNumber++) {
      await this.#end(machine, vmrun, signal);
      await this.#provideSystemDisk(machine, run);
      await this.#writeDisks(machine, run);
      await this.#writeVmx(machine);
      await keepPreviousLog(machine.paths);
      await machine.remember({ ...readMemory(machine.memory), isPaused: false });
      let outcome: SshOutcome;
      try {
        await vmrun.run(['start', vmx, 'nogui'], { signal });
        outcome = await this.#awaitUp(machine, run);
      } catch (error) {
        // It may run although vmrun said nothing more, or nobody waits for it any more.
        await this.#end(machine, vmrun, AbortSignal.timeout(endMs));
        throw error;
      }
      if (outcome.kind === 'up') return;
      why = outcome.why;
      run.tell({ detail: why.split('\n', 1)[0] ?? why });
    }
    await this.#end(machine, vmrun, signal);
    throw new MachineError('boot-failed', `The machine did not start: ${why}`);
  }

  async #goOnFromMemory(machine: DriverMachine, run: DriverRun): Promise<void> {
    run.tell({ detail: 'reading its memory' });
    await (await this.#vmrun()).run(['start', filesOf(machine.paths).vmx, 'nogui'], { signal: run.signal });
    const outcome = await this.#awaitUp(machine, run);
    if (outcome.kind === 'failed')
      throw new MachineError(
        'boot-failed',
        `The machine did not go on from its saved memory. To do without that: skiff machine kill ${machine.name}. ${outcome.why}`,
      );
  }

  async #awaitUp(machine: DriverMachine, { signal }: DriverRun): Promise<SshOutcome> {
    const { serialLog } = machine.paths;
    const { vmx } = filesOf(machine.paths);
    const vmrun = await this.#vmrun();
    let address: string | null = null;
    const outcome = await awaitSsh({
      address: async () => {
        // The machine itself knows best; what the DHCP server gave counts where its console is not heard.
        address = (await toldAddress(serialLog)) ?? (await readLease(this.#leasesFiles, vmwareMacAddress(machine.id)));
        return address === null ? null : { host: address, port: this.#sshPort };
      },
      serialLog,
      isRunning: () => vmrun.isRunning(vmx, { signal }),
      timeoutMs: this.#bootMs,
      signal,
    });
    if (outcome.kind === 'up') await machine.remember({ ...readMemory(machine.memory), address });
    return outcome;
  }

  async #setPaused(machine: DriverMachine, isPaused: boolean, { signal }: DriverRun): Promise<void> {
    const state = await this.state(machine);
    if (state !== (isPaused ? 'running' : 'paused')) return;
    const memory = readMemory(machine.memory);
    const vmrun = await this.#vmrun();
    // Noted between the two: a guest that runs and counts as paused is only resumed again.
    if (isPaused) await machine.remember({ ...memory, isPaused });
    await vmrun.run([isPaused ? 'pause' : 'unpause', filesOf(machine.paths).vmx], { signal });
    if (!isPaused) await machine.remember({ ...memory, isPaused });
  }

  /** Cut off before its end, it leaves the machine running. */
  async #suspend(machine: DriverMachine, run: DriverRun): Promise<void> {
    // What stands still is not suspended by vmrun.
    await this.#setPaused(machine, false, run);
    if ((await this.state(machine)) !== 'running') return;
    run.tell({ detail: 'writing its memory' });
    const { signal } = run;
    await (
      await this.#vmrun()
    ).run(['suspend', filesOf(machine.paths).vmx, 'hard'], { signal, timeoutMs: 10 * 60_000 });
    if (!(await this.#awaitEnd(machine, { timeoutMs: 60_000, signal })))
      throw new MachineError('timeout', 'VMware did not write the memory of the machine within a minute');
  }

  /** A suspended machine is a stopped one then, as by a power cut. */
  async #forgetMemory(machine: DriverMachine): Promise<void> {
    const { folder } = filesOf(machine.paths);
    if (!isSuspended((await readIfThere(filesOf(machine.paths).vmx)) ?? '')) return;
    await this.#writeVmx(machine);
    for (const name of await readdir(folder)) if (/\.(vmss|vmem)$/.test(name)) await rm(join(folder, name));
  }

  async #end(machine: DriverMachine, vmrun: Vmrun, signal: AbortSignal): Promise<void> {
    const { vmx } = filesOf(machine.paths);
    if (!(await vmrun.isRunning(vmx, { signal }))) return;
    await stopHard(vmrun, vmx, { signal });
    if (!(await this.#awaitEnd(machine, { timeoutMs: endMs, signal })))
      throw new MachineError('timeout', "VMware did not end the machine within 30 s; end it in VMware's window");
  }

  /** Whether it came to run no more in time. */
  async #awaitEnd(
    machine: DriverMachine,
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<boolean> {
    const vmrun = await this.#vmrun();
    const { vmx } = filesOf(machine.paths);
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      if (!(await vmrun.isRunning(vmx, { signal }))) return true;
      if (performance.now() >= deadline) return false;
      await delay(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }

  async #provideSystemDisk(machine: DriverMachine, run: DriverRun): Promise<void> {
    const memory = readMemory(machine.memory);
    const { system } = filesOf(machine.paths);
    const from = await imageOf(machine).bootableDisk(run);
    if (await provideCopy({ from, path: system.raw, isCurrent: memory.systemDisk === from, run }))
      await machine.remember({ ...memory, systemDisk: from });
    await describeRaw(system.raw, system.descriptor);
  }

  async #writeDisks(machine: DriverMachine, { signal }: DriverRun): Promise<void> {
    const { data, seed } = filesOf(machine.paths);
    if (this.#computer.platform === 'win32') await makeSparse(data.raw, signal);
    await provideRawDisk(data.raw, vmwareSettings.resolve(machine.settings).diskBytes);
    await describeRaw(data.raw, data.descriptor);
    await writeFile(seed.raw, toWholeMebibytes(seedOf(machine, { mode: 'dhcp' })), { mode: 0o600 });
    await describeRaw(seed.raw, seed.descriptor);
  }

  async #writeVmx(machine: DriverMachine): Promise<void> {
    const { folder, vmx, disks } = filesOf(machine.paths);
    const { cpus, memoryBytes } = vmwareSettings.resolve(machine.settings);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const text = writeVmx({
      arch: this.#computer.arch,
      displayName: `skiff-${machine.name}`,
      uuid: machine.id,
      cpus,
      memoryBytes,
      disks: disks.map(({ descriptor }) => descriptor),
      macAddress: vmwareMacAddress(machine.id),
      serialLog: machine.paths.serialLog,
    });
    await writeFileAtomic(vmx, text);
  }

  async #vmrun(): Promise<Vmrun> {
    const vmrun = await findVmrun(this.#computer);
    if (vmrun === null) throw new MachineError('driver-unavailable', vmwareMissing(this.#computer));
    return vmrun;
  }
}

/** Nothing where it has just gone down by itself. */
async function stopHard(vmrun: Vmrun, vmx: string, call: VmrunCall): Promise<void> {
  try {
    await vmrun.run(['stop', vmx, 'hard'], call);
  } catch (error) {
    if (!(error instanceof VmrunError && /not powered on|not running/i.test(error.said))) throw error;
  }
}

function imageOf({ image }: DriverMachine): BootImage {
  if (image === null) throw new MachineError('image-unavailable', 'There is no machine image to start from');
  return image;
}
