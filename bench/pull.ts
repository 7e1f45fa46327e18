import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { Bench, Contender, Measurement } from './contender.ts';
import { debianImage, nextVersion, recipes } from './debian-images.ts';
import { inTurns, request } from './engines.ts';
import { settleDisks } from './own-disk.ts';
import { type Ground, putMadeImage, withRegistries } from './registries.ts';
import type { Work } from './samples.ts';

const rounds = { rounds: 5, warmUp: 1 };

/** Images of real Debian packages from a registry on loopback; with what memory, and how long others have to wait meanwhile. */
export function pullBench(): Bench {
  return {
    name: 'pull',
    title: 'Pull images from a registry on loopback',
    run: (tell) =>
      withRegistries(tell, async (ground) => {
        const twelve = debianImage(recipes.twelve);
        const put = async (image: typeof twelve): Promise<string> => putMadeImage(ground.registry, image);
        const names = {
          twelve: await put(twelve),
          next: await put(nextVersion(twelve)),
          small: await put(debianImage(recipes.small)),
          forty: await put(debianImage(recipes.forty)),
        };
        tell('images are in the registry');
        return [
          await pulls(ground, '300 MB in 12 layers', names.twelve),
          await partial(ground, names.twelve, names.next),
          await pulls(ground, '60,000 small files', names.small),
          await pulls(ground, '40 layers', names.forty),
          ...(await strain(ground, [names.twelve, names.small, names.forty])),
        ];
      }),
  };
}

const pullOne = async (contender: Contender, name: string): Promise<void> => {
  const told = await request(contender, 'POST', `/images/create?fromImage=${encodeURIComponent(name)}`);
  if (!told.includes('Status: Downloaded newer image')) throw new Error(`${contender.name}: ${told.slice(-400)}`);
};
const remove = async (contender: Contender, name: string): Promise<void> => {
  await request(contender, 'DELETE', `/images/${name}?force=1`);
  settleDisks();
};

function pulls({ contenders }: Ground, what: string, name: string): Promise<Measurement> {
  const work = async (contender: Contender): ReturnType<Work> => {
    await pullOne(contender, name);
    return () => remove(contender, name);
  };
  return inTurns(`pull: ${what}`, contenders, work, rounds);
}

/** The base is there: what comes is one layer more. */
async function partial({ contenders }: Ground, base: string, next: string): Promise<Measurement> {
  for (const contender of contenders) await pullOne(contender, base);
  const work = async (contender: Contender): ReturnType<Work> => {
    await pullOne(contender, next);
    return () => remove(contender, next);
  };
  const measured = await inTurns('pull: a new version, 12 of 13 layers are there', contenders, work, rounds);
  for (const contender of contenders) await remove(contender, base);
  return measured;
}

/** Three at once: the most memory of the engine's own process, and the longest that anybody waited for `/_ping`. */
async function strain({ contenders }: Ground, names: readonly string[]): Promise<readonly Measurement[]> {
  const peaks: Record<string, number[]> = {};
  const waits: Record<string, number[]> = {};
  for (let round = 0; round < 3; round++) {
    for (const contender of contenders) {
      const seen = watch(contender);
      await Promise.all(names.map((name) => pullOne(contender, name)));
      const { megabytes, waitMs } = await seen.end();
      (peaks[contender.name] ??= []).push(megabytes);
      (waits[contender.name] ??= []).push(waitMs);
      for (const name of names) await remove(contender, name);
    }
  }
  return [
    { what: 'three pulls at once: most memory of the engine process (MB)', samples: peaks, baseline: 'dockerd' },
    { what: 'three pulls at once: longest wait for /_ping (ms)', samples: waits, baseline: 'dockerd' },
  ];
}

function watch(contender: Contender): { end(): Promise<{ readonly megabytes: number; readonly waitMs: number }> } {
  const [pid = 0] = contender.pids();
  let megabytes = 0;
  let waitMs = 0;
  let isEnded = false;
  const agent = new http.Agent({ keepAlive: true });
  const ping = (): Promise<void> =>
    new Promise((resolve, reject) => {
      http
        .get({ socketPath: contender.socket, path: '/_ping', agent }, (answer) => {
          answer.resume();
          answer.once('end', resolve);
        })
        .once('error', reject);
    });
  const watching = (async () => {
    while (!isEnded) {
      const startedAt = performance.now();
      await ping();
      waitMs = Math.max(waitMs, performance.now() - startedAt);
      const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      megabytes = Math.max(megabytes, Number(kilobytes ?? 0) / 1024);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    agent.destroy();
  })();
  return {
    async end() {
      isEnded = true;
      await watching;
      return { megabytes, waitMs };
    },
  };
}
