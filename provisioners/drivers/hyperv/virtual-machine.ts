import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { MachineError } from '../../machines.ts';
import type { DriverState } from '../driver.ts';
import type { Powershell, Step } from './powershell.ts';

/** What is asked of one machine of Hyper-V. Each call is one PowerShell. */
export interface VirtualMachine {
  readonly powershell: Powershell;
  /** As Hyper-V knows it. */
  readonly vmId: string;
  readonly signal: AbortSignal;
}

export interface KnownVm {
  readonly id: string;
  readonly name: string;
  readonly state: DriverState;
}

const vmRow = z.object({ Id: z.guid(), Name: z.string(), State: z.string().min(1) });

/** All that Hyper-V has on this computer, not only ours. */
export async function listVms(powershell: Powershell, signal?: AbortSignal): Promise<readonly KnownVm[]> {
  const call = signal === undefined ? {} : { signal };
  const [rows = []] = await powershell.run([{ cmdlet: 'Get-VM', select: ['Id', 'Name', 'State'] }], call);
  return rows.map((row) => {
    const { Id, Name, State } = vmRow.parse(row);
    return { id: Id.toLowerCase(), name: Name, state: driverState(State) };
  });
}

function driverState(state: string): DriverState {
  // `OffCritical`: as before, and its disk cannot be reached.
  switch (state.replace(/Critical$/, '')) {
    case 'Off':
      return 'stopped';
    case 'Saved':
    case 'FastSaved':
      return 'suspended';
    case 'Paused':
      return 'paused';
    default:
      // On its way up or down: it holds its disk, and can be ended.
      return 'running';
  }
}

/** The "Default Switch" of Windows, whose name is in the user's language and whose id is always this. */
const defaultSwitchId = 'c08cb7b8-9b3c-408e-8e30-5e16a3aeb444';

/** Name of the virtual switch to connect to. */
export async function findSwitch(
  powershell: Powershell,
  wanted: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  const [rows = []] = await powershell.run([{ cmdlet: 'Get-VMSwitch', select: ['Id', 'Name'] }], { signal });
  const found = rows.find(({ Id, Name }) =>
    wanted === undefined ? Id?.toLowerCase() === defaultSwitchId : Name === wanted,
  );
  if (found?.['Name'] !== undefined) return found['Name'];
  const names = rows.map(({ Name }) => `"${Name}"`).join(', ');
  throw new MachineError(
    'invalid-setting',
    wanted === undefined
      ? `Hyper-V has no Default Switch here. Name one that leads to a DHCP server with --hyperv-virtual-switch; there are: ${names || 'none'}`
      : `Hyper-V has no virtual switch "${wanted}" (--hyperv-virtual-switch); there are: ${names || 'none'}`,
  );
}

/** Makes it without disks; its id. Its second generation boots by EFI. */
export async function makeVm(
  powershell: Powershell,
  options: {
    readonly name: string;
    readonly folder: string;
    readonly memoryBytes: number;
    readonly signal: AbortSignal;
  },
): Promise<string> {
  const { name, folder, memoryBytes, signal } = options;
  const parameters = {
    Name: name,
    Path: folder,
    Generation: 2,
    MemoryStartupBytes: wholePairs(memoryBytes),
    NoVHD: true,
  };
  const [rows = []] = await powershell.run([{ cmdlet: 'New-VM', parameters, select: ['Id'] }], { signal });
  const id = z.guid().safeParse(rows[0]?.['Id']);
  if (!id.success) throw new MachineError('internal', 'Hyper-V does not tell the id of the machine that it made');
  return id.data.toLowerCase();
}

export interface VmHardware {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly virtualSwitch: string;
  /** `02-1A-2B-3C-4D-5E`. */
  readonly mac: string;
}

/** Files of its disks, first to last. */
export async function attachedDisks({ powershell, vmId, signal }: VirtualMachine): Promise<readonly string[]> {
  const steps: readonly Step[] = [
    theVm(vmId),
    { cmdlet: 'Get-VMHardDiskDrive', references: { VM: 0 }, select: ['ControllerLocation', 'Path'] },
  ];
  const [, rows = []] = await powershell.run(steps, { signal });
  const places = rows.map(({ ControllerLocation, Path = '' }) => [Number(ControllerLocation), Path] as const);
  return places.sort(([one], [other]) => one - other).map(([, path]) => path);
}

/**
 * Takes all disks off a stopped machine, so that their files may be replaced. A file that is put in another's place is always attached
 * anew: only so does Hyper-V give the machine the right to open it.
 */
export async function detachDisks({ powershell, vmId, signal }: VirtualMachine): Promise<void> {
  const steps: readonly Step[] = [
    theVm(vmId),
    { cmdlet: 'Get-VMHardDiskDrive', references: { VM: 0 } },
    { cmdlet: 'Remove-VMHardDiskDrive', references: { VMHardDiskDrive: 1 } },
  ];
  await powershell.run(steps, { signal });
}

/** Gives a stopped machine what its settings say, attaches these disks, and starts it. */
export async function startVm(
  { powershell, vmId, signal }: VirtualMachine,
  { hardware, attach }: { readonly hardware: VmHardware; readonly attach: readonly string[] },
): Promise<void> {
  const { cpus, memoryBytes, virtualSwitch, mac } = hardware;
  const VM = 0;
  const card = 2;
  const firstDisk = 5 + attach.length;
  const place = (at: number) => ({ ControllerType: 'SCSI', ControllerNumber: 0, ControllerLocation: at });
  const steps: readonly Step[] = [
    theVm(vmId),
    {
      cmdlet: 'Set-VM',
      references: { VM },
      parameters: {
        ProcessorCount: cpus,
        StaticMemory: true,
        MemoryStartupBytes: wholePairs(memoryBytes),
        AutomaticStartAction: 'Nothing',
        AutomaticStopAction: 'ShutDown',
        // Windows makes some by itself, and a disk with checkpoints cannot grow.
        CheckpointType: 'Disabled',
      },
    },
    { cmdlet: 'Get-VMNetworkAdapter', references: { VM } },
    {
      cmdlet: 'Set-VMNetworkAdapter',
      references: { VMNetworkAdapter: card },
      parameters: { StaticMacAddress: mac.replaceAll('-', '') },
    },
    {
      cmdlet: 'Connect-VMNetworkAdapter',
      references: { VMNetworkAdapter: card },
      parameters: { SwitchName: virtualSwitch },
    },
    ...attach.map((path, at): Step => ({
      cmdlet: 'Add-VMHardDiskDrive',
      references: { VM },
      parameters: { ...place(at), Path: path },
    })),
    { cmdlet: 'Get-VMHardDiskDrive', references: { VM }, parameters: place(0) },
    {
      cmdlet: 'Set-VMFirmware',
      // Without an order it asks the network first; and its kernel is not signed for secure boot.
      references: { VM, FirstBootDevice: firstDisk },
      parameters: { EnableSecureBoot: 'Off' },
    },
    { cmdlet: 'Start-VM', references: { VM } },
  ];
  await powershell.run(steps, { signal, timeoutMs: 3 * 60_000 });
}

/** `Suspend-VM` and `Resume-VM` let its processors stand and go, `Save-VM` writes its memory to disk, `Start-VM` brings that back. */
export async function changeVm(
  { powershell, vmId, signal }: VirtualMachine,
  cmdlet: 'Start-VM' | 'Suspend-VM' | 'Resume-VM' | 'Save-VM',
): Promise<void> {
  await powershell.run([theVm(vmId), { cmdlet, references: { VM: 0 } }], { signal, timeoutMs: 10 * 60_000 });
}

/** As a power cut, from whatever state. */
export async function cutPower({ powershell, vmId, signal }: VirtualMachine, state: DriverState): Promise<void> {
  if (state === 'stopped' || state === 'absent') return;
  const end: Step =
    state === 'suspended'
      ? { cmdlet: 'Remove-VMSavedState', references: { VM: 0 } }
      : { cmdlet: 'Stop-VM', references: { VM: 0 }, parameters: { TurnOff: true, Force: true } };
  await powershell.run([theVm(vmId), end], { signal });
}

/** Takes it out of Hyper-V; the files of its disks stay. */
export async function removeVm({ powershell, vmId, signal }: VirtualMachine): Promise<void> {
  const remove: Step = { cmdlet: 'Remove-VM', references: { VM: 0 }, parameters: { Force: true } };
  await powershell.run([theVm(vmId), remove], { signal });
}

/** Grows a disk, also under a machine that runs; never makes it smaller. */
export async function growDisk(
  powershell: Powershell,
  disk: { readonly path: string; readonly sizeBytes: number; readonly signal: AbortSignal },
): Promise<void> {
  const { path, sizeBytes, signal } = disk;
  const get: Step = { cmdlet: 'Get-VHD', parameters: { Path: path }, select: ['Size'] };
  const [rows = []] = await powershell.run([get], { signal });
  const now = Number(rows[0]?.['Size']);
  if (!(now > 0)) throw new MachineError('internal', `Hyper-V does not tell the size of ${path}`);
  if (now >= sizeBytes) return;
  await powershell.run([{ cmdlet: 'Resize-VHD', parameters: { Path: path, SizeBytes: sizeBytes } }], { signal });
}

/** Writes a copy of a disk of any form that is dynamic, whole and closed. */
export async function copyDisk(
  powershell: Powershell,
  disk: { readonly from: string; readonly to: string; readonly signal: AbortSignal },
): Promise<void> {
  const { from, to, signal } = disk;
  const parameters = { Path: from, DestinationPath: to, VHDType: 'Dynamic' };
  await powershell.run([{ cmdlet: 'Convert-VHD', parameters }], { signal, timeoutMs: 60 * 60_000 });
}

const pauseMs = 500;

/** Whether the machine stood still in time. */
export async function awaitStopped({ powershell, vmId, signal }: VirtualMachine, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const vms = await listVms(powershell, signal);
    const state = vms.find(({ id }) => id === vmId)?.state ?? 'absent';
    if (state === 'stopped' || state === 'absent') return true;
    if (performance.now() >= deadline) return false;
    await delay(pauseMs, undefined, { signal });
  }
}

/** Hyper-V gives memory in pairs of mebibytes. */
const wholePairs = (bytes: number): number => Math.floor(bytes / 2 ** 21) * 2 ** 21;

const theVm = (vmId: string): Step => ({ cmdlet: 'Get-VM', parameters: { Id: vmId } });
