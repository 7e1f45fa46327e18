import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crashAll } from '../crash-all.ts';
import { playedSshPort } from '../played-addresses.ts';
import { playCommand } from '../played-command.ts';
import { playVmrun } from './vmrun.ts';
import { World } from './world.ts';

/** A VMware of its own: `vmrun` first in PATH, and what it knows in a temporary folder. */
export interface PlayedVmware extends AsyncDisposable {
  readonly world: World;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where its machines' sshd listens. */
  readonly sshPort: number;
  /** Ends machines' processes as a crash does. */
  crash(): Promise<void>;
  /** The machines that run shut themselves down. */
  powerOffInside(): void;
}

export async function openPlayedVmware(
  options: {
    readonly system?: World['system'];
    /** 22 is where those who are not told otherwise look for it. */
    readonly sshPort?: number;
    /** What `vmrun` says of itself. */
    readonly version?: string;
  } = {},
): Promise<PlayedVmware> {
  const { system = 'sshd', sshPort = playedSshPort, version = '1.17.0' } = options;
  const folder = await mkdtemp(join(tmpdir(), 'skiff-vmware-'));
  const world = new World(folder, { system, sshPort });
  const command = await playCommand({
    path: join(folder, 'vmrun'),
    play: (call) => playVmrun(call, { world, version }),
  });
  const crash = (): Promise<void> => crashAll(world.machines().map(({ pid }) => pid));
  return {
    world,
    environment: {
      ...process.env,
      PATH: `${folder}:${process.env['PATH'] ?? ''}`,
    },
    sshPort,
    crash,
    powerOffInside: () => world.machines().forEach(({ pid }) => process.kill(pid, 'SIGUSR2')),
    async [Symbol.asyncDispose]() {
      await command[Symbol.asyncDispose]();
      await crash();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
