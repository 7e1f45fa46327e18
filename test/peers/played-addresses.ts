import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The addresses that a played hypervisor's own network gives: each network card has one of 127/8, the same each time until they move. */
export class PlayedAddresses {
  readonly #movesFile: string;

  constructor(home: string) {
    this.#movesFile = join(home, 'moves');
  }

  of(macAddress: string): string {
    const moves = existsSync(this.#movesFile) ? readFileSync(this.#movesFile, 'utf8').length : 0;
    const bytes = macAddress.split(':').map((part) => Number.parseInt(part, 16));
    return `127.${64 + ((bytes[3] ?? 0) % 64)}.${bytes[4] ?? 0}.${1 + (((bytes[5] ?? 0) + moves) % 250)}`;
  }

  move(): void {
    appendFileSync(this.#movesFile, '.');
  }
}

/** Where sshds of played machines listen: nobody does there on every address of this computer, as somebody may at 22. */
export const playedSshPort = 22_022;
