import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crashAll } from '../crash-all.ts';
import { playCommand } from '../played-command.ts';
import type { PlayedSystemKind } from './register.ts';
import { Register } from './register.ts';
import { playVBoxManage } from './vboxmanage.ts';

/** A VirtualBox of its own: `VBoxManage` first in PATH, and what it knows in a temporary folder. */
export interface PlayedVirtualbox extends AsyncDisposable {
  readonly register: Register;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Ends a machine's process as a crash does. */
  crash(): Promise<void>;
}

export async function openPlayedVirtualbox(
  options: {
    /** What runs inside of its machines: `sshd` of this computer (default), or what the disks hold, in QEMU. */
    readonly system?: PlayedSystemKind;
    /** What `VBoxManage --version` says. */
    readonly version?: string;
  } = {},
): Promise<PlayedVirtualbox> {
  const folder = await mkdtemp(join(tmpdir(), 'skiff-vbox-'));
  const { system = 'sshd', version = '7.0.20r163906\n' } = options;
  const register = new Register(folder, system);
  const command = await playCommand({
    path: join(folder, 'VBoxManage'),
    play: (call) => playVBoxManage(call, { register, version }),
  });
  const crash = (): Promise<void> => crashAll(register.machines().flatMap(({ pid }) => pid ?? []));
  return {
    register,
    environment: {
      ...process.env,
      PATH: `${folder}:${process.env['PATH'] ?? ''}`,
    },
    crash,
    async [Symbol.asyncDispose]() {
      await command[Symbol.asyncDispose]();
      await crash();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
