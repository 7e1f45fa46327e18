import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writePlayedCommand } from '../played-command.ts';
import { Register } from './register.ts';

/** A VirtualBox of its own: `VBoxManage` first in PATH, and what it knows in a temporary folder. */
export interface PlayedVirtualbox extends AsyncDisposable {
  readonly register: Register;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Ends a machine's process as a crash does. */
  crash(): void;
}

export async function openPlayedVirtualbox(
  options: {
    /** What runs inside of its machines: `sshd` of this computer (default), or what the disks hold, in QEMU. */
    readonly system?: 'sshd' | 'qemu';
  } = {},
): Promise<PlayedVirtualbox> {
  const folder = await mkdtemp(join(tmpdir(), 'skiff-vbox-'));
  await writePlayedCommand(join(folder, 'VBoxManage'), new URL('./vboxmanage.ts', import.meta.url));
  const register = new Register(folder);
  const crash = (): void => {
    for (const { pid } of register.machines()) if (pid !== null) process.kill(pid, 'SIGKILL');
  };
  return {
    register,
    environment: {
      ...process.env,
      PATH: `${folder}:${process.env['PATH'] ?? ''}`,
      VBOX_USER_HOME: folder,
      PLAYED_VIRTUALBOX_SYSTEM: options.system ?? 'sshd',
    },
    crash,
    async [Symbol.asyncDispose]() {
      crash();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
