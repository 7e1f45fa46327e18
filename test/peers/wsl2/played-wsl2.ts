import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Computer } from '../../../provisioners/drivers/vm/find-program.ts';
import { crashAll } from '../crash-all.ts';
import { playCommand } from '../played-command.ts';
import { PlayedWsl2Host } from './host.ts';
import { playWsl } from './wsl.ts';

/** A Windows computer with a WSL2 of its own: its program in its System32, and what it knows in a temporary folder. */
export interface PlayedWsl2 extends AsyncDisposable {
  readonly host: PlayedWsl2Host;
  readonly computer: Computer;
  /** Ends every machine's process as a crash does. */
  crash(): Promise<void>;
}

export async function openPlayedWsl2(
  options: { readonly system: 'played' | 'real' } = { system: 'played' },
): Promise<PlayedWsl2> {
  const folder = await mkdtemp(join(tmpdir(), 'skiff-wsl2-'));
  const host = new PlayedWsl2Host(folder, options.system);
  const system32 = join(folder, 'Windows', 'System32');
  await mkdir(system32, { recursive: true });
  const program = new URL('./machine.ts', import.meta.url);
  const command = await playCommand({
    path: join(system32, 'wsl.exe'),
    play: (call) => playWsl(call, { host }),
    readsInput: true,
    lasting: { which: { has: '/usr/lib/skiff/wsl-machine' }, program, words: [folder, options.system] },
  });
  const crash = (): Promise<void> => crashAll(host.all().flatMap(({ pid }) => pid ?? []));
  return {
    host,
    crash,
    computer: {
      platform: 'win32',
      arch: 'x64',
      environment: {
        ...process.env,
        SystemRoot: join(folder, 'Windows'),
      },
    },
    async [Symbol.asyncDispose]() {
      await command[Symbol.asyncDispose]();
      await crash();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
