import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crashAll } from '../crash-all.ts';
import { playedSshPort } from '../played-addresses.ts';
import { writePlayedCommand } from '../played-command.ts';
import type { PlayedFaultKind } from './world.ts';
import { World } from './world.ts';

/** A vfkit of its own, first in PATH, and what its Mac knows in a temporary folder. */
export interface PlayedVfkit extends AsyncDisposable {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly folder: string;
  /** As /var/db/dhcpd_leases. */
  readonly leasesFile: string;
  /** Where its machines' sshd listens. */
  readonly sshPort: number;
  /** Processes of machines that run. */
  running(): number[];
  /** Ends machines' processes as a crash does. */
  crash(): Promise<void>;
  /** The machines that run shut themselves down. */
  powerOffInside(): void;
  /** From now on machines are given other addresses. */
  moveAddresses(): void;
  /** What goes wrong at the next starts, one each. */
  setFaults(faults: readonly PlayedFaultKind[]): void;
}

export async function openPlayedVfkit(): Promise<PlayedVfkit> {
  const folder = await mkdtemp(join(tmpdir(), 'skiff-vfkit-'));
  await writePlayedCommand(join(folder, 'vfkit'), new URL('./vfkit.ts', import.meta.url));
  const world = new World(folder);
  const crash = (): Promise<void> => crashAll(world.running());
  return {
    environment: {
      ...process.env,
      PATH: `${folder}:${process.env['PATH'] ?? ''}`,
      PLAYED_VFKIT_HOME: folder,
      PLAYED_VFKIT_SSH_PORT: String(playedSshPort),
    },
    folder,
    leasesFile: world.leasesFile,
    sshPort: playedSshPort,
    running: () => world.running(),
    crash,
    powerOffInside: () => world.running().forEach((pid) => process.kill(pid, 'SIGUSR2')),
    moveAddresses: () => world.addresses.move(),
    setFaults: (faults) => world.faults.set(faults.map((kind) => ({ verb: 'start', kind }))),
    async [Symbol.asyncDispose]() {
      await crash();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
