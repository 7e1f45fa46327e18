import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Computer } from '../../../provisioners/drivers/vm/find-program.ts';
import { crashAll } from '../crash-all.ts';
import { playCommand } from '../played-command.ts';
import { PlayedHost } from './host.ts';
import { playPowershell } from './powershell.ts';
import { tell } from './tell.ts';

/** A Windows computer with a Hyper-V of its own: its programs first in Path, and what it knows in a temporary folder. */
export interface PlayedHyperv extends AsyncDisposable {
  readonly host: PlayedHost;
  readonly computer: Computer;
  /** Of the machines' SSH servers. */
  readonly sshPort: number;
  /** Shuts every machine that runs down from inside. */
  shutDown(): Promise<void>;
  /** Ends every machine's process as a crash does. */
  crash(): Promise<void>;
  /** The switch's network is another from now on. */
  forgetLeases(): Promise<void>;
}

export async function openPlayedHyperv(
  options: {
    /** Default: one that no machine of this computer uses for SSH; each played machine has an address of its own. */
    readonly sshPort?: number;
  } = {},
): Promise<PlayedHyperv> {
  const { sshPort = 8_022 } = options;
  const folder = await mkdtemp(join(tmpdir(), 'skiff-hyperv-'));
  const host = new PlayedHost(folder, sshPort);
  const system32 = join(folder, 'Windows', 'System32');
  await mkdir(system32, { recursive: true });
  for (const name of ['neighbours', 'leases']) await mkdir(join(folder, name));
  await writeFile(join(system32, 'vmms.exe'), '');
  const command = await playCommand({
    path: join(system32, 'powershell.exe'),
    play: (call) => playPowershell(call, { host }),
    readsInput: true,
  });
  const arp = join(system32, 'arp.exe');
  const neighbours = `printf '\\r\\nSchnittstelle: 172.20.16.1 --- 0x2b\\r\\n'\ncat '${folder}'/neighbours/* 2>&-; true`;
  await writeFile(arp, `#!/bin/sh\n${neighbours}\n`, { mode: 0o755 });
  const crash = (): Promise<void> => crashAll(host.vms().flatMap(({ pid }) => pid ?? []));
  return {
    host,
    sshPort,
    computer: {
      platform: 'win32',
      arch: 'x64',
      environment: {
        ...process.env,
        SystemRoot: join(folder, 'Windows'),
        Path: `${system32}:${process.env['PATH'] ?? ''}`,
      },
    },
    crash,
    async shutDown() {
      for (const vm of host.vms()) if (vm.state === 'Running') await tell(host, vm, 'shut-down');
    },
    async forgetLeases() {
      await rm(join(folder, 'leases'), { recursive: true });
      await mkdir(join(folder, 'leases'));
    },
    async [Symbol.asyncDispose]() {
      await command[Symbol.asyncDispose]();
      await crash();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
