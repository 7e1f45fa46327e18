import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Register } from './register.ts';

/** A VirtualBox of its own: `VBoxManage` first in PATH, and what it knows in a temporary folder. */
export interface PlayedVirtualbox extends AsyncDisposable {
  readonly register: Register;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Ends a machine's process as a crash does. */
  crash(): void;
}

export async function openPlayedVirtualbox(): Promise<PlayedVirtualbox> {
  const folder = await mkdtemp(join(tmpdir(), 'skiff-vbox-'));
  const program = fileURLToPath(new URL('./vboxmanage.ts', import.meta.url));
  const command = join(folder, 'VBoxManage');
  await writeFile(command, `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
  await chmod(command, 0o755);
  const register = new Register(folder);
  const crash = (): void => {
    for (const { pid } of register.machines()) if (pid !== null) process.kill(pid, 'SIGKILL');
  };
  return {
    register,
    environment: { ...process.env, PATH: `${folder}:${process.env['PATH'] ?? ''}`, VBOX_USER_HOME: folder },
    crash,
    async [Symbol.asyncDispose]() {
      crash();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
