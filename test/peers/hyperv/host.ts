import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { isAlive, PlayedFaults, PlayedRecords } from '../played-record.ts';

/** A played computer with Hyper-V: its machines, switches and what goes wrong next, as files below its home. */

export type VmState = 'Off' | 'Running' | 'Paused' | 'Saved';

export interface PlayedVm {
  readonly id: string;
  readonly name: string;
  readonly path: string;
  readonly state: VmState;
  /** Of the process that plays it. */
  readonly pid: number | null;
  readonly memoryBytes: number;
  readonly processors: number;
  /** Without separators; empty: Hyper-V gives one itself. */
  readonly mac: string;
  readonly switchName: string | null;
  readonly disks: readonly PlayedDisk[];
  readonly isSecureBoot: boolean;
  /** Place of the disk that firmware boots first; null: the network. */
  readonly firstDisk: number | null;
}

export interface PlayedDisk {
  /** On the first SCSI controller. */
  readonly place: number;
  readonly path: string;
  /** The very file that the machine was given the right to open when it was attached. */
  readonly inode: number;
}

export type HypervFault =
  'access-denied' | 'no-memory' | 'no-switch' | 'no-hypervisor' | 'killed-before' | 'killed-after' | 'hangs';

export const switches = [
  { Id: 'C08CB7B8-9B3C-408E-8E30-5E16A3AEB444', Name: 'Standardswitch' },
  { Id: '11111111-2222-4333-8444-555555555555', Name: 'External' },
] as const;

export class PlayedHost {
  readonly home: string;
  /** Of the machines' SSH servers. */
  readonly sshPort: number;
  readonly faults: PlayedFaults<HypervFault>;
  readonly #vms: PlayedRecords<PlayedVm>;

  constructor(home: string, sshPort: number) {
    this.home = home;
    this.sshPort = sshPort;
    this.faults = new PlayedFaults(home);
    this.#vms = new PlayedRecords(home, 'vms');
  }

  vms(): PlayedVm[] {
    return this.#vms.all().map((vm) => (vm.pid === null || isAlive(vm.pid) ? vm : { ...vm, pid: null, state: 'Off' }));
  }

  find(id: string): PlayedVm | null {
    return this.vms().find((vm) => vm.id === id.toLowerCase()) ?? null;
  }

  put(vm: PlayedVm): void {
    this.#vms.put(vm);
  }

  remove({ id }: PlayedVm): void {
    this.#vms.remove(id);
  }

  controlSocket(id: string): string {
    return join(this.home, `${id.slice(0, 8)}.sock`);
  }

  /** What `arp -a` shows of one machine's card. */
  neighbourFile(id: string): string {
    return join(this.home, 'neighbours', id);
  }

  /** What the switch's DHCP server gives to a card; another once the lease is forgotten. */
  leaseFile(mac: string): string {
    return join(this.home, 'leases', mac);
  }

  /** Of 127.0.0.0/8, all of which is this computer. */
  addressOf(mac: string, lease: number): string {
    const [one = 0, two = 0, three = 0] = createHash('sha256').update(`${mac} ${lease}`).digest();
    return `127.${64 + (one % 64)}.${two}.${1 + (three % 254)}`;
  }
}
