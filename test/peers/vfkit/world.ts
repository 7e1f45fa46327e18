import { appendFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PlayedAddresses } from '../played-addresses.ts';
import { isAlive, PlayedFaults } from '../played-record.ts';

/** What goes wrong at a start: vfkit refuses, ends a moment later, its guest never comes up, or nobody hears the guest's console. */
export type PlayedFaultKind = 'no-entitlement' | 'too-many' | 'dies' | 'dark' | 'silent-console';

/** What the Mac of a played vfkit knows, as files: which machines run, which addresses they were given. */
export class World {
  readonly home: string;
  readonly leasesFile: string;
  readonly addresses: PlayedAddresses;
  readonly faults: PlayedFaults<PlayedFaultKind>;
  readonly #runningFolder: string;

  constructor(home: string) {
    this.home = home;
    this.leasesFile = join(home, 'dhcpd_leases');
    this.faults = new PlayedFaults(home);
    this.addresses = new PlayedAddresses(home);
    this.#runningFolder = join(home, 'running');
    mkdirSync(this.#runningFolder, { recursive: true });
  }

  enter(pid: number): void {
    writeFileSync(join(this.#runningFolder, String(pid)), '');
  }

  leave(pid: number): void {
    rmSync(join(this.#runningFolder, String(pid)), { force: true });
  }

  running(): number[] {
    return readdirSync(this.#runningFolder).map(Number).filter(isAlive);
  }

  /** What the DHCP server gives to a card, and notes. */
  lease(macAddress: string): string {
    const address = this.addresses.of(macAddress);
    // Without leading zeros.
    const short = macAddress.replaceAll(/\b0/g, '');
    // One write, as short as this, is whole for who reads meanwhile.
    appendFileSync(
      this.leasesFile,
      [
        '{',
        '\tname=skiff',
        `\tip_address=${address}`,
        `\thw_address=1,${short}`,
        `\tidentifier=1,${short}`,
        `\tlease=0x${Math.floor(Date.now() / 1000 + 86_400).toString(16)}`,
        '}',
        '',
      ].join('\n'),
    );
    return address;
  }
}
