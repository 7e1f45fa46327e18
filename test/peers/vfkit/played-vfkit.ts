import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readProcess, waitForEnd } from '../../../provisioners/store/process-identity.ts';
import type { PlayedFault } from './world.ts';
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
  setFaults(faults: readonly PlayedFault[]): void;
}

/** Nobody listens there on every address of this computer, as somebody may at 22. */
const sshPort = 22_022;

export async function openPlayedVfkit(): Promise<PlayedVfkit> {
  const folder = await mkdtemp(join(tmpdir(), 'skiff-vfkit-'));
  const program = fileURLToPath(new URL('./vfkit.ts', import.meta.url));
  const command = join(folder, 'vfkit');
  await writeFile(command, `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
  await chmod(command, 0o755);
  const world = new World(folder);
  const crash = async (): Promise<void> => {
    for (const pid of world.running()) {
      const found = await readProcess(pid);
      if (found === null) continue;
      process.kill(pid, 'SIGKILL');
      if (!(await waitForEnd(found, { timeoutMs: 10_000 }))) throw new Error(`the machine's process ${pid} goes on`);
    }
  };
  return {
    environment: {
      ...process.env,
      PATH: `${folder}:${process.env['PATH'] ?? ''}`,
      PLAYED_VFKIT_HOME: folder,
      PLAYED_VFKIT_SSH_PORT: String(sshPort),
    },
    folder,
    leasesFile: world.leasesFile,
    sshPort,
    running: () => world.running(),
    crash,
    powerOffInside: () => world.running().forEach((pid) => process.kill(pid, 'SIGUSR2')),
    moveAddresses: () => world.move(),
    setFaults: (faults) => world.setFaults(faults),
    async [Symbol.asyncDispose]() {
      await crash();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
