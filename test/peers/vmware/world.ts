import { createHash } from 'node:crypto';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PlayedAddresses } from '../played-addresses.ts';
import { isAlive, PlayedFaults, PlayedRecords } from '../played-record.ts';

export type PlayedState = 'running' | 'paused' | 'suspended';

/** A machine that has a process; one that is suspended has it too: the process, standing still, is the memory on disk. */
export interface PlayedVm {
  readonly vmx: string;
  readonly pid: number;
  readonly state: PlayedState;
}

export type PlayedFaultKind =
  | 'in-use'
  | 'no-virtualisation'
  | 'little-memory'
  | 'dark'
  | 'silent-console'
  | 'killed-before'
  | 'killed-after'
  | 'hangs';

/** What the machine's process is to do when it is next told (SIGUSR1). */
export type PlayedWish = 'pause' | 'unpause' | 'suspend' | 'resume' | 'stop';

/** What runs inside of its machines: `sshd` of this computer, or what the disks hold, in QEMU. */
export type PlayedSystemKind = 'sshd' | 'qemu';

/** What the played VMware knows, as files below its home. */
export class World {
  readonly home: string;
  readonly system: PlayedSystemKind;
  /** Where its machines' sshd listens. */
  readonly sshPort: number;
  /** As `vmnetdhcp.leases`. */
  readonly leasesFile: string;
  readonly addresses: PlayedAddresses;
  readonly faults: PlayedFaults<PlayedFaultKind>;
  readonly #vms: PlayedRecords<PlayedVm & { readonly id: string }>;

  constructor(home: string, of: { readonly system: PlayedSystemKind; readonly sshPort: number }) {
    this.home = home;
    this.system = of.system;
    this.sshPort = of.sshPort;
    this.leasesFile = join(home, 'vmnetdhcp.leases');
    this.addresses = new PlayedAddresses(home);
    this.faults = new PlayedFaults(home);
    this.#vms = new PlayedRecords(home, 'machines');
  }

  machines(): PlayedVm[] {
    return this.#vms.all().filter(({ pid }) => isAlive(pid));
  }

  find(vmx: string): PlayedVm | null {
    return this.machines().find((vm) => vm.vmx === vmx) ?? null;
  }

  put(vm: PlayedVm): void {
    this.#vms.put({ ...vm, id: idOf(vm.vmx) });
  }

  remove(vmx: string): void {
    this.#vms.remove(idOf(vmx));
  }

  /** What the DHCP server gives to a card, and notes. */
  lease(macAddress: string): string {
    const address = this.addresses.of(macAddress);
    appendFileSync(this.leasesFile, `lease ${address} {\n\thardware ethernet ${macAddress};\n}\n`);
    return address;
  }

  setWish(vmx: string, wish: PlayedWish): void {
    writeFileSync(this.#wishFile(vmx), wish);
  }

  wish(vmx: string): string {
    return readFileSync(this.#wishFile(vmx), 'utf8');
  }

  #wishFile(vmx: string): string {
    return join(this.home, `${idOf(vmx)}.wish`);
  }
}

const idOf = (vmx: string): string => createHash('sha256').update(vmx).digest('hex').slice(0, 24);
