/**
 * Folders of this computer in containers of emulated machines, by each way that QEMU's driver has (`--qemu-shares`): two machines that
 * differ in nothing else, taking turns. In the containers' own words: their clocks measure, not `docker exec`.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { unixSocketDialer } from '../client/dial.ts';
import { EngineClient } from '../client/engine-client.ts';
import { openMachines } from '../provisioners/index.ts';
import type { Bench, Measurement } from './contender.ts';
import { timed } from './shares.ts';

const rounds = 3;
const ways = ['sftp', 'virtiofs'] as const;
type Way = (typeof ways)[number];

const forget = 'sync; echo 3 > /proc/sys/vm/drop_caches';
const works = [
  ['64 MiB written and synced, ms', 'dd if=/dev/zero of=big bs=1M count=64 conv=fsync'],
  ['64 MiB read, not from memory, ms', `${forget}; dd if=big of=/dev/null bs=1M`],
  ['200 files made, ms', 'mkdir many; i=0; while [ $i -lt 200 ]; do echo x > many/$i; i=$((i+1)); done'],
  ['200 files looked at, ms', `${forget}; ls -l many`],
  ['200 files removed, ms', 'rm -r many'],
] as const;

export function sharesInMachineBench(): Bench {
  return { name: 'shares-in-machine', title: 'folders of this computer in emulated machines, by each way', run };
}

async function run(tell: (line: string) => void): Promise<readonly Measurement[]> {
  const home = mkdtempSync(path.join(os.tmpdir(), 'skiff-bench-'));
  const environment = { ...process.env, SKIFF_HOME: home, DOCKER_CONFIG: path.join(home, 'docker') };
  const machines = openMachines({ environment });
  const operation = { report: () => undefined, signal: AbortSignal.timeout(900_000) };
  try {
    const sockets = new Map<Way, string>();
    for (const way of ways) {
      const folder = path.join(home, `folder-${way}`);
      mkdirSync(folder);
      const settings = { memoryBytes: 2 ** 30, shares: [`${folder}:/shared`], sharesBy: way };
      const { dockerSocket, facts } = await machines.create({ name: way, driver: 'qemu', settings }, operation);
      tell(`${way}: ${facts['shared folders by'] ?? 'the connection alone'}`);
      await keepContainer(dockerSocket);
      sockets.set(way, dockerSocket);
    }
    const samples = works.map((): Record<Way, number[]> => ({ sftp: [], virtiofs: [] }));
    for (let round = 0; round < rounds; round++)
      for (const [index, [, script]] of works.entries())
        for (const [way, socket] of sockets)
          samples[index]?.[way].push(await timed(socket, 'kept', `cd /shared; ${script}`));
    return works.map(([what], index) => ({ what, samples: { ...samples[index] }, baseline: 'sftp' }));
  } finally {
    for (const { name } of await machines.list()) await machines.remove(name, operation);
    rmSync(home, { recursive: true, force: true });
  }
}

async function keepContainer(socket: string): Promise<void> {
  using client = new EngineClient(unixSocketDialer(socket));
  const HostConfig = { Binds: ['/shared:/shared'], Privileged: true };
  const { Id } = await client.containers.create(
    { Image: 'hello', Cmd: ['sleep', '6000'], HostConfig },
    { name: 'kept' },
  );
  await client.containers.start(Id);
}
