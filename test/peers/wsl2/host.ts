import { join } from 'node:path';
import { isAlive, PlayedFaults, PlayedRecords } from '../played-record.ts';

/** A played computer with WSL2: its distributions and what goes wrong next, as files below its home. */

export interface PlayedDistribution {
  /** Its name. */
  readonly id: string;
  /** Holds its disk. */
  readonly folder: string;
  /** Of the process that WSL holds it for; null: none. */
  readonly pid: number | null;
}

export type Wsl2Fault = 'no-virtualisation' | 'no-space' | 'killed-before' | 'killed-after' | 'dark';

export class PlayedWsl2Host {
  readonly home: string;
  /** What its machines are: an sshd of this computer, or the files of a real system. */
  readonly system: 'played' | 'real';
  readonly faults: PlayedFaults<Wsl2Fault>;
  readonly #distributions: PlayedRecords<PlayedDistribution>;

  constructor(home: string, system: 'played' | 'real') {
    this.home = home;
    this.system = system;
    this.faults = new PlayedFaults(home);
    this.#distributions = new PlayedRecords(home, 'distributions');
  }

  all(): PlayedDistribution[] {
    return this.#distributions.all().map((one) => (one.pid === null || isAlive(one.pid) ? one : { ...one, pid: null }));
  }

  find(name: string): PlayedDistribution | null {
    return this.all().find(({ id }) => id === name) ?? null;
  }

  put(distribution: PlayedDistribution): void {
    this.#distributions.put(distribution);
  }

  remove({ id }: PlayedDistribution): void {
    this.#distributions.remove(id);
  }
}

/** What a distribution's disk holds, for tests as a raw image whose archive is what lies at /var/lib/skiff. */
export const diskOf = ({ folder }: Pick<PlayedDistribution, 'folder'>): string => join(folder, 'ext4.vhdx');

/** The seed that a machine was given. */
export const seedOf = ({ folder }: Pick<PlayedDistribution, 'folder'>): string => join(folder, 'seed.tar');
