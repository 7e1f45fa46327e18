import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crashAll } from '../crash-all.ts';
import { playedSshPort } from '../played-addresses.ts';
import { playCommand } from '../played-command.ts';
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

export async function openPlayedVfkit(
  options: {
    /** 22 is where those who are not told otherwise look for it. */
    readonly sshPort?: number;
    /** What `vfkit --version` says. */
    readonly version?: string;
  } = {},
): Promise<PlayedVfkit> {
  const { sshPort = playedSshPort, version = 'v0.6.1' } = options;
  const folder = await mkdtemp(join(tmpdir(), 'skiff-vfkit-'));
  const program = new URL('./vfkit.ts', import.meta.url);
  const command = await playCommand({
    path: join(folder, 'vfkit'),
    play: () => ({ exitCode: 0, stdout: `vfkit version: ${version}\n` }),
    lasting: { which: { lacks: '--version' }, program, words: [folder, String(sshPort)] },
  });
  const world = new World(folder);
  const crash = (): Promise<void> => crashAll(world.running());
  return {
    environment: {
      ...process.env,
      PATH: `${folder}:${process.env['PATH'] ?? ''}`,
    },
    folder,
    leasesFile: world.leasesFile,
    sshPort,
    running: () => world.running(),
    crash,
    powerOffInside: () => world.running().forEach((pid) => process.kill(pid, 'SIGUSR2')),
    moveAddresses: () => world.addresses.move(),
    setFaults: (faults) => world.faults.set(faults.map((kind) => ({ verb: 'start', kind }))),
    async [Symbol.asyncDispose]() {
      await command[Symbol.asyncDispose]();
      await crash();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
