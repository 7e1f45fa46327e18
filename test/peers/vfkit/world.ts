import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What goes wrong at a start: vfkit refuses, ends a moment later, its guest never comes up, or nobody hears the guest's console. */
export type PlayedFault = 'no-entitlement' | 'too-many' | 'dies' | 'dark' | 'silent-console';

/** What the Mac of a played vfkit knows, as files: which machines run, which addresses they were given. */
export class World {
  readonly home: string;
  readonly leasesFile: string;
  readonly #faultsFile: string;
  readonly #movesFile: string;
  readonly #runningFolder: string;

  constructor(home: string) {
    this.home = home;
    this.leasesFile = join(home, 'dhcpd_leases');
    this.#faultsFile = join(home, 'faults.json');
    this.#movesFile = join(home, 'moves');
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

  /** Each card has an address of 127/8 of its own: the same at each start, until addresses move. */
  lease(macAddress: string): string {
    const moves = existsSync(this.#movesFile) ? readFileSync(this.#movesFile, 'utf8').length : 0;
    const bytes = macAddress.split(':').map((part) => Number.parseInt(part, 16));
    const address = `127.${64 + ((bytes[3] ?? 0) % 64)}.${bytes[4] ?? 0}.${1 + (((bytes[5] ?? 0) + moves) % 250)}`;
    const short = bytes.map((byte) => byte.toString(16)).join(':');
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

  move(): void {
    appendFileSync(this.#movesFile, '.');
  }

  setFaults(faults: readonly PlayedFault[]): void {
    writeFileSync(this.#faultsFile, JSON.stringify(faults));
  }

  takeFault(): PlayedFault | null {
    if (!existsSync(this.#faultsFile)) return null;
    // This file is written by this module alone.
    const [next, ...others] = JSON.parse(readFileSync(this.#faultsFile, 'utf8')) as PlayedFault[];
    this.setFaults(others);
    return next ?? null;
  }
}

function isAlive(pid: number): boolean {
  try {
    // A process that nobody has waited for yet is dead all the same.
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
