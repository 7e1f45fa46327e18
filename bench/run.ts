import type { Bench, Contender } from './contender.ts';
import { create, docker, inTurns, proportionalMegabytes, remove, request, start, withEngines } from './engines.ts';
import type { Work } from './samples.ts';

/** What people feel: a container that does nothing, from the command to its end; and what is done to one that runs. */
export function runBench(): Bench {
  return {
    name: 'run',
    title: 'Start, run, enter, stop and remove one container',
    run: (tell) =>
      withEngines(tell, async (both) => [
        await inTurns('docker run --rm, default bridge', both, run()),
        await inTurns('docker run --rm --network none', both, run('--network', 'none')),
        await inTurns('docker run --rm -p (a port published)', both, run('-p', '127.0.0.1::80')),
        await inTurns('API: create + start + wait + remove', both, wholeLife),
        await inContainers(both, 'docker exec true', (contender, name) => docker(contender, 'exec', name, 'true')),
        await stops(both),
        {
          what: 'memory, idle, all processes (MB, shared pages divided)',
          samples: Object.fromEntries(both.map((contender) => [contender.name, [proportionalMegabytes(contender)]])),
          baseline: 'dockerd',
        },
      ]),
  };
}

const run =
  (...flags: readonly string[]) =>
  async (contender: Contender): Promise<void> =>
    void (await docker(contender, 'run', '--rm', ...flags, 'box', 'true'));

async function wholeLife(contender: Contender): Promise<void> {
  const id = await create(contender, { Cmd: ['true'] });
  const ended = request(contender, 'POST', `/containers/${id}/wait?condition=next-exit`);
  await start(contender, id);
  await ended;
  await request(contender, 'DELETE', `/containers/${id}`);
}

async function inContainers(
  both: readonly Contender[],
  what: string,
  work: (contender: Contender, name: string) => Promise<string>,
): ReturnType<typeof inTurns> {
  const ids = await Promise.all(both.map((contender) => create(contender, { Cmd: ['sleep', '3600'] })));
  await Promise.all(both.map((contender, index) => start(contender, ids[index] ?? '')));
  const measured = await inTurns(
    what,
    both,
    async (contender) => void (await work(contender, ids[both.indexOf(contender)] ?? '')),
  );
  await Promise.all(both.map((contender, index) => remove(contender, ids[index] ?? '')));
  return measured;
}

/** A shell that ends at TERM; all of them run before the first is stopped. */
async function stops(both: readonly Contender[]): ReturnType<typeof inTurns> {
  const rounds = 20;
  const warmUp = 2;
  const running = new Map<Contender, string[]>();
  for (const contender of both) {
    const ids: string[] = [];
    for (let count = 0; count < rounds + warmUp; count++) {
      const id = await create(contender, { Cmd: ['sh', '-c', 'trap "exit 0" TERM; sleep 3600 & wait'] });
      await start(contender, id);
      ids.push(id);
    }
    running.set(contender, ids);
  }
  const stopOne = async (contender: Contender): ReturnType<Work> => {
    const id = running.get(contender)?.pop() ?? '';
    await docker(contender, 'stop', id);
    return () => remove(contender, id);
  };
  return await inTurns('docker stop of one that obeys TERM', both, stopOne, { rounds, warmUp });
}
