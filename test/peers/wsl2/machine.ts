import { once } from 'node:events';
import { join } from 'node:path';
import { PlayedSystem } from '../played-system.ts';
import type { PlayedDistribution, PlayedWsl2Host } from './host.ts';
import { diskOf, seedOf } from './host.ts';

/** What `wsl-machine` does in a distribution, until WSL ends it: this process is the machine's. */
export async function holdMachine(
  host: PlayedWsl2Host,
  distribution: PlayedDistribution,
  { port, isDark }: { readonly port: number; readonly isDark: boolean },
): Promise<void> {
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const system = new PlayedSystem({
    folder: join(distribution.folder, 'guest'),
    say,
    listen: { host: '127.0.0.1', port },
    dataDisk: diskOf(distribution),
  });
  const ended = once(process, 'SIGTERM');
  // Only a timer keeps a process that waits for a signal.
  const awake = setInterval(() => undefined, 60_000);
  host.put({ ...distribution, pid: process.pid });
  if (isDark) say('skiff-boot: failed identity 0.10 the machine was given no seed');
  else await system.boot(seedOf(distribution));
  await ended;
  clearInterval(awake);
  if (system.isUp) system.powerOff();
  host.put({ ...distribution, pid: null });
}
