import { once } from 'node:events';
import { join } from 'node:path';
import { PlayedSystem } from '../played-system.ts';
import type { PlayedDistribution } from './host.ts';
import { diskOf, PlayedWsl2Host, seedOf } from './host.ts';
import { holdSystem } from './real-system.ts';

/** What `wsl-machine` does in a distribution, until WSL ends it: this process is the machine's. */
async function holdMachine(host: PlayedWsl2Host, distribution: PlayedDistribution, port: number): Promise<void> {
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const system = new PlayedSystem({
    folder: join(distribution.folder, 'guest'),
    say,
    poweredOff: () => process.kill(process.pid, 'SIGTERM'),
    listen: { host: '127.0.0.1', port },
    dataDisk: diskOf(distribution),
  });
  const ended = once(process, 'SIGTERM');
  // Only a timer keeps a process that waits for a signal.
  const awake = setInterval(() => undefined, 60_000);
  host.put({ ...distribution, pid: process.pid });
  if (host.faults.take('boot') === 'dark') say('skiff-boot: failed identity 0.10 the machine was given no seed');
  else await system.boot(seedOf(distribution));
  await ended;
  clearInterval(awake);
  if (system.isUp) system.powerOff();
  host.put({ ...distribution, pid: null });
}

// `wsl.exe --distribution NAME --user root --cd / --exec /usr/lib/skiff/wsl-machine PORT`
const [home = '', system, , name = '', ...words] = process.argv.slice(2);
const host = new PlayedWsl2Host(home, system === 'real' ? 'real' : 'played');
const distribution = host.find(name);
if (distribution === null) throw new Error(`no distribution ${name}`);
await (host.system === 'real' ? holdSystem : holdMachine)(host, distribution, Number(words.at(-1)));
