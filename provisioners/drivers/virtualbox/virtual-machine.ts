import { setTimeout as delay } from 'node:timers/promises';
import { MachineError } from '../../machines.ts';
import type { Media } from './media.ts';
import type { VBoxManage } from './vbox-manage.ts';
import { VBoxError } from './vbox-manage.ts';
import type { VmInfo } from './vm-info.ts';
import { driverState, readVmInfo } from './vm-info.ts';

/** What is asked of one machine of VirtualBox. Each call is one VBoxManage. */
export interface VirtualMachine {
  readonly vbox: VBoxManage;
  readonly uuid: string;
  readonly signal: AbortSignal;
}

/** Of the disks; the first lies at port 0. */
const controller = 'disks';
const forwarding = 'ssh';
/** What VirtualBox's NAT gives to its first guest: the same in each machine, for each has a network of its own. */
export const guestNetwork = { address: '10.0.2.15/24', gateway: '10.0.2.2', nameserver: '10.0.2.3' } as const;

export async function registerVm(
  { vbox, uuid, signal }: VirtualMachine,
  options: { readonly name: string; readonly folder: string; readonly group: string },
): Promise<void> {
  const { name, folder, group } = options;
  const place = ['--basefolder', folder, '--groups', group];
  await vbox.run(['createvm', '--name', name, '--uuid', uuid, ...place, '--ostype', 'Linux_64', '--register'], {
    signal,
  });
}

export interface VmHardware {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly sshPort: number;
  readonly serialLog: string;
}

/** Of a stopped machine. NAT alone, with one port of 127.0.0.1 for SSH: no other network, no administrator rights. */
export async function configureVm(machine: VirtualMachine, info: VmInfo, hardware: VmHardware): Promise<void> {
  const { vbox, uuid, signal } = machine;
  const { cpus, memoryBytes, sshPort, serialLog } = hardware;
  if (info.forwardings.includes(forwarding))
    await vbox.run(['modifyvm', uuid, '--natpf1', 'delete', forwarding], { signal });
  const settings: readonly (readonly string[])[] = [
    ['--cpus', String(cpus)],
    ['--memory', String(Math.floor(memoryBytes / 1024 ** 2))],
    ['--firmware', 'efi'],
    ['--ioapic', 'on'],
    ['--rtcuseutc', 'on'],
    ['--paravirtprovider', 'kvm'],
    ['--graphicscontroller', 'vmsvga'],
    ['--vram', '16'],
    ['--audio-enabled', 'off'],
    ['--nic1', 'nat'],
    ['--nictype1', 'virtio'],
    ['--cableconnected1', 'on'],
    ['--natpf1', forwardingRule(sshPort)],
    ['--uart1', '0x3F8', '4'],
    ['--uartmode1', 'file', serialLog],
  ];
  await vbox.run(['modifyvm', uuid, ...settings.flat()], { signal });
}

const forwardingRule = (port: number): string => `${forwarding},tcp,127.0.0.1,${port},,22`;

/** Another port for a machine that runs. */
export async function moveForwarding({ vbox, uuid, signal }: VirtualMachine, port: number): Promise<void> {
  await vbox.run(['controlvm', uuid, 'natpf1', 'delete', forwarding], { signal });
  await vbox.run(['controlvm', uuid, 'natpf1', forwardingRule(port)], { signal });
}

const diskOrder = ['system', 'data', 'seed'] as const;

/** Whether each disk is where attachDisks puts it. */
export function areAttached(info: VmInfo): boolean {
  return diskOrder.every((_, port) => info.disks.has(`${controller}-${port}-0`));
}

/** Takes all disks off a stopped machine, so that their files may be replaced. */
export async function detachDisks({ vbox, uuid, signal }: VirtualMachine, info: VmInfo): Promise<void> {
  for (const place of info.disks.keys()) {
    const [, name, port, device] = /^(.+)-(\d+)-(\d+)$/.exec(place) ?? [];
    if (name === undefined || port === undefined || device === undefined) continue;
    const args = ['storageattach', uuid, '--storagectl', name, '--port', port, '--device', device, '--medium', 'none'];
    await vbox.run(args, { signal });
  }
}

/** Guests see them in this order on every bus: system, data, seed. */
export async function attachDisks({ vbox, uuid, signal }: VirtualMachine, info: VmInfo, media: Media): Promise<void> {
  if (!info.controllers.includes(controller)) {
    const bus = ['--add', 'sata', '--controller', 'IntelAhci', '--portcount', String(diskOrder.length)];
    await vbox.run(['storagectl', uuid, '--name', controller, ...bus, '--bootable', 'on'], { signal });
  }
  for (const [port, disk] of diskOrder.entries()) {
    const place = ['--storagectl', controller, '--port', String(port), '--device', '0'];
    // What the guest discards is given back to this computer.
    const discard = disk === 'data' ? ['--nonrotational', 'on', '--discard', 'on'] : [];
    await vbox.run(['storageattach', uuid, ...place, '--type', 'hdd', '--medium', media[disk], ...discard], { signal });
  }
}

/** False when it is not in the state that VirtualBox needs for that: it went down by itself, say. */
export async function control(machine: VirtualMachine, ...verb: readonly string[]): Promise<boolean> {
  const { vbox, uuid, signal } = machine;
  try {
    await vbox.run(['controlvm', uuid, ...verb], { signal, timeoutMs: 10 * 60_000 });
    return true;
  } catch (error) {
    const isGone = error instanceof VBoxError && (error.result === 'VBOX_E_INVALID_VM_STATE' || isNotRunning(error));
    if (!isGone) throw error;
    return false;
  }
}

function isNotRunning(error: VBoxError): boolean {
  return error.message.includes('is not currently running');
}

const pauseMs = 200;

/** Whether the machine came to be in one of these states in time. */
export async function awaitState(
  { vbox, uuid, signal }: VirtualMachine,
  wanted: { readonly state: 'stopped' | 'suspended'; readonly timeoutMs: number },
): Promise<boolean> {
  const deadline = performance.now() + wanted.timeoutMs;
  for (;;) {
    const state = driverState(await readVmInfo(vbox, uuid, { signal }));
    if (state === wanted.state || state === 'absent') return true;
    if (performance.now() >= deadline) return false;
    await delay(pauseMs, undefined, { signal });
  }
}

/** As a power cut, from whatever state. */
export async function cutPower(machine: VirtualMachine, info: VmInfo): Promise<void> {
  const state = driverState(info);
  if (state === 'suspended') {
    await machine.vbox.run(['discardstate', machine.uuid], { signal: machine.signal });
    return;
  }
  if (state === 'stopped' || state === 'absent') return;
  await control(machine, 'poweroff');
  if (!(await awaitState(machine, { state: 'stopped', timeoutMs: 30_000 })))
    throw new MachineError(
      'timeout',
      'VirtualBox did not end the machine within 30 s; end it in the VirtualBox window',
    );
}
