import { spawn } from 'node:child_process';
import type { Bench, Contender, Measurement } from './contender.ts';
import { create, inTurns, processorMs, proportionalMegabytes, remove, request, start, withEngines } from './engines.ts';
import { median, quantile, type Work } from './samples.ts';

const idle = { Cmd: ['sleep', '3600'] };

/** Many containers at once: what grows with their number. */
export function manyBench(): Bench {
  return {
    name: 'many',
    title: 'Many containers',
    run: (tell) =>
      withEngines(tell, async (both) => {
        const measurements: Measurement[] = [];
        measurements.push(
          await inTurns('32 started at once, until all run', both, startAtOnce(32), { rounds: 5, warmUp: 1 }),
        );
        tell('32 at once: done');
        measurements.push(await fiftyIdle(both));
        tell('50 idle: done');
        measurements.push(await oneMore(both));
        tell('one more than 200: done');
        measurements.push(...(await listed(both)));
        return measurements;
      }),
  };
}

/** Logs: as fast as one container can write, with somebody who follows. */
export function logsBench(): Bench {
  return {
    name: 'logs',
    title: 'Logs',
    run: (tell) => withEngines(tell, async (both) => [await throughput(both), ...(await twentyFollowed(both))]),
  };
}

const startAtOnce =
  (count: number) =>
  async (contender: Contender): ReturnType<Work> => {
    const ids = await Promise.all(Array.from({ length: count }, () => create(contender, idle)));
    await Promise.all(ids.map((id) => start(contender, id)));
    return () => removeAll(contender, ids);
  };

async function removeAll(contender: Contender, ids: readonly string[]): Promise<void> {
  await Promise.all(ids.map((id) => remove(contender, id)));
}

async function fiftyIdle(both: readonly Contender[]): Promise<Measurement> {
  const samples: Record<string, readonly number[]> = {};
  for (const contender of both) {
    const ids: string[] = [];
    for (let count = 0; count < 50; count++) {
      const id = await create(contender, idle);
      await start(contender, id);
      ids.push(id);
    }
    samples[contender.name] = [proportionalMegabytes(contender)];
    await removeAll(contender, ids);
  }
  return { what: 'memory with 50 idle containers (MB, shared pages divided)', samples, baseline: 'dockerd' };
}

/** skiffd alone: the start of a container with none and with 200 that run. */
async function oneMore(both: readonly Contender[]): Promise<Measurement> {
  const [skiffd] = both;
  if (skiffd === undefined) throw new Error('there is no skiffd');
  const starts = async (): Promise<number[]> => {
    const times: number[] = [];
    for (let round = 0; round < 20; round++) {
      const id = await create(skiffd, idle);
      const startedAt = performance.now();
      await start(skiffd, id);
      times.push(performance.now() - startedAt);
      await remove(skiffd, id);
    }
    return times;
  };
  const alone = await starts();
  const ids: string[] = [];
  for (let count = 0; count < 200; count++) {
    const id = await create(skiffd, idle);
    await start(skiffd, id);
    ids.push(id);
  }
  const among = await starts();
  await removeAll(skiffd, ids);
  return { what: 'API start of one container', samples: { '201st': among, first: alone }, baseline: 'first' };
}

async function listed(both: readonly Contender[]): Promise<readonly Measurement[]> {
  for (const contender of both) {
    for (let count = 0; count < 1000; count += 20)
      await Promise.all(Array.from({ length: 20 }, () => create(contender, { Cmd: ['true'], Labels: { a: 'b' } })));
  }
  const measured = await inTurns(
    'GET /containers/json?all=1 with 1,000 containers',
    both,
    async (contender) => void (await request(contender, 'GET', '/containers/json?all=1')),
    { rounds: 100, warmUp: 10 },
  );
  const p99 = Object.fromEntries(
    Object.entries(measured.samples).map(([name, samples]) => [name, [quantile(samples, 0.99)]]),
  );
  return [measured, { what: 'the same at p99', samples: p99, baseline: 'dockerd' }];
}

const linesWritten = 400_000;

/** A container that writes lines of 100 bytes as fast as it can, while a client follows them to the end. */
async function throughput(both: readonly Contender[]): Promise<Measurement> {
  const command = `yes ${'x'.repeat(99)} | head -n ${linesWritten}`;
  const processor: string[] = [];
  const samples: Record<string, number[]> = {};
  for (let round = 0; round < 5; round++) {
    for (const contender of both) {
      const id = await create(contender, {
        Cmd: ['sh', '-c', command],
        // Larger than what is written: what rotation deletes cannot be followed.
        HostConfig: { NetworkMode: 'none', LogConfig: { Type: 'json-file', Config: { 'max-size': '1g' } } },
      });
      const usedBefore = processorMs(contender);
      const startedAt = performance.now();
      await start(contender, id);
      const bytes = await followed(contender, id);
      const seconds = (performance.now() - startedAt) / 1000;
      if (bytes !== linesWritten * 100) throw new Error(`${contender.name} lost lines: ${bytes} bytes came`);
      (samples[contender.name] ??= []).push(bytes / 1_000_000 / seconds);
      processor.push(`${contender.name} ${processorMs(contender) - usedBefore}`);
      await remove(contender, id);
    }
  }
  return {
    what: `one container writes ${linesWritten / 1000}k lines, followed (MB/s: more is better)`,
    samples,
    baseline: 'dockerd',
    note: `processor time of the engine's processes (ms): ${processor.join(', ')}`,
  };
}

function followed(contender: Contender, id: string): Promise<number> {
  const child = spawn('docker', ['-H', `unix://${contender.socket}`, 'logs', '-f', id], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let bytes = 0;
  child.stdout.on('data', (chunk: Buffer) => (bytes += chunk.length));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve(bytes));
  });
}

/** 20 containers, together 5,000 lines a second for four seconds, all followed: every line must come. */
async function twentyFollowed(both: readonly Contender[]): Promise<readonly Measurement[]> {
  const script =
    'i=0; while [ $i -lt 100 ]; do for n in 1 2 3 4 5 6 7 8 9 10; do echo line $i $n; done; usleep 38000; i=$((i+1)); done';
  const samples: Record<string, number[]> = {};
  for (const contender of both) {
    const ids = await Promise.all(
      Array.from({ length: 20 }, () =>
        create(contender, { Cmd: ['sh', '-c', script], HostConfig: { NetworkMode: 'none' } }),
      ),
    );
    const startedAt = performance.now();
    await Promise.all(ids.map((id) => start(contender, id)));
    const got = await Promise.all(ids.map((id) => followed(contender, id)));
    const expected = median(got);
    if (got.some((bytes) => bytes !== expected)) throw new Error(`${contender.name} lost lines: ${got.join(' ')}`);
    samples[contender.name] = [performance.now() - startedAt];
    await removeAll(contender, ids);
  }
  return [{ what: '20 containers followed at once, 20,000 lines, none lost (ms)', samples, baseline: 'dockerd' }];
}
