/**
 * Folders of the user's computer in a container, beside a folder of the machine itself. Both are this computer here, and the line between
 * them a unix socket: what is measured is the file system and the answering side. A real line adds its own delay to each request.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unixSocketDialer } from '../client/dial.ts';
import { EngineClient } from '../client/engine-client.ts';
import { keepShares } from '../provisioners/host-agent/keep-shares.ts';
import { Boxes } from '../test/engine/box.ts';
import { docker, eventually } from '../test/engine/docker.ts';
import { startEngine } from '../test/engine/start-engine.ts';
import type { Bench, Measurement } from './contender.ts';

const rounds = 3;
const folders = { disk: '/disk', shared: '/shared' };

const works = [
  ['256 MiB written and synced, ms', 'dd if=/dev/zero of=big bs=1M count=256 conv=fsync'],
  ['256 MiB read, not from memory, ms', 'sync; echo 3 > /proc/sys/vm/drop_caches; dd if=big of=/dev/null bs=1M'],
  ['2,000 files made, ms', 'mkdir many; i=0; while [ $i -lt 2000 ]; do echo x > many/$i; i=$((i+1)); done'],
  ['2,000 files looked at, ms', 'sync; echo 3 > /proc/sys/vm/drop_caches; ls -l many'],
  ['2,000 files removed, ms', 'rm -r many'],
] as const;

export function sharesBench(): Bench {
  return { name: 'shares', title: 'folders of the user’s computer in a container (no VM between)', run };
}

async function run(): Promise<readonly Measurement[]> {
  const folder = mkdtempSync(join(tmpdir(), 'skiff-shares-'));
  const ending = new AbortController();
  await using engine = await startEngine();
  const share = { hostPath: folder, machinePath: '/users/me', isReadOnly: false };
  const keeping = keepShares({
    dial: unixSocketDialer(engine.socket),
    shares: () => Promise.resolve({ shares: [share], whenMissing: 'refuse', machine: 'bench' }),
    document: join(folder, 'machine.json'),
    signal: ending.signal,
    log: () => undefined,
  });
  try {
    using client = new EngineClient(unixSocketDialer(engine.socket));
    await eventually('the share', async () => ((await client.skiff.shares()).folders.length > 0 ? true : null));
    const Binds = ['/users/me:/shared', 'volume:/disk'];
    const id = await new Boxes(engine.socket).keep({ host: { Binds, Privileged: true } });
    const measurements: Measurement[] = [];
    for (const [what, script] of works) {
      const samples: Record<keyof typeof folders, number[]> = { disk: [], shared: [] };
      // Of many files each step needs what the last one left.
      for (let round = 0; round < (script.includes('many') ? 1 : rounds); round++) {
        for (const name of ['disk', 'shared'] as const)
          samples[name].push(await timed(engine.socket, id, `cd ${folders[name]}; ${script}`));
      }
      measurements.push({ what, samples, baseline: 'disk' });
    }
    return measurements;
  } finally {
    ending.abort();
    await keeping;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** In the container's own words, hundredths of a second: `docker exec` itself would be most of it. */
export async function timed(socket: string, id: string, script: string): Promise<number> {
  const clock = "cut -d' ' -f1 /proc/uptime";
  const { stdout } = await docker(
    socket,
    ['exec', id, 'sh', '-c', `a=$(${clock}); (${script}) >/dev/null 2>&1; echo $a $(${clock})`],
    '',
    300_000,
  );
  const [from = NaN, to = NaN] = stdout.trim().split(' ').map(Number);
  return (to - from) * 1000;
}
