import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Computer } from '../../../provisioners/drivers/vm/find-program.ts';
import { compileCache } from '../played-record.ts';
import { PlayedWsl2Host } from './host.ts';

/** A Windows computer with a WSL2 of its own: its program in its System32, and what it knows in a temporary folder. */
export interface PlayedWsl2 extends AsyncDisposable {
  readonly host: PlayedWsl2Host;
  readonly computer: Computer;
  /** Ends every machine's process as a crash does. */
  crash(): void;
}

export async function openPlayedWsl2(
  options: { readonly system: 'played' | 'real' } = { system: 'played' },
): Promise<PlayedWsl2> {
  const folder = await mkdtemp(join(tmpdir(), 'skiff-wsl2-'));
  const host = new PlayedWsl2Host(folder);
  const system32 = join(folder, 'Windows', 'System32');
  await mkdir(system32, { recursive: true });
  const program = fileURLToPath(new URL('./wsl.ts', import.meta.url));
  const wsl = join(system32, 'wsl.exe');
  await writeFile(wsl, `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
  await chmod(wsl, 0o755);
  const crash = (): void => {
    for (const { pid } of host.all()) if (pid !== null) process.kill(pid, 'SIGKILL');
  };
  return {
    host,
    crash,
    computer: {
      platform: 'win32',
      arch: 'x64',
      environment: {
        ...process.env,
        SystemRoot: join(folder, 'Windows'),
        NODE_COMPILE_CACHE: compileCache,
        PLAYED_WSL2: folder,
        PLAYED_WSL2_SYSTEM: options.system,
      },
    },
    async [Symbol.asyncDispose]() {
      crash();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
