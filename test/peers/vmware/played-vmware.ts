import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crashAll } from '../crash-all.ts';
import { playedSshPort } from '../played-addresses.ts';
import { writePlayedCommand } from '../played-command.ts';
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

/** `qemu`: behind a started machine a real one, and its SSH at port 22, where those who are not told otherwise look for it. */
export async function openPlayedVmware(options: { readonly system?: 'qemu' } = {}): Promise<PlayedVmware> {
  const sshPort = options.system === 'qemu' ? 22 : playedSshPort;
  const folder = await mkdtemp(join(tmpdir(), 'skiff-vmware-'));
  await writePlayedCommand(join(folder, 'vmrun'), new URL('./vmrun.ts', import.meta.url));
  const world = new World(folder);
  const crash = (): Promise<void> => crashAll(world.machines().map(({ pid }) => pid));
  return {
    world,
    environment: {
      ...process.env,
      PATH: `${folder}:${process.env['PATH'] ?? ''}`,
      PLAYED_VMWARE_HOME: folder,
      PLAYED_VMWARE_SSH_PORT: String(sshPort),
      PLAYED_VMWARE_SYSTEM: options.system,
    },
    sshPort,
    crash,
    powerOffInside: () => world.machines().forEach(({ pid }) => process.kill(pid, 'SIGUSR2')),
    async [Symbol.asyncDispose]() {
      await crash();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
