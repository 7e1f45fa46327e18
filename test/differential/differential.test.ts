import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../engine/start-engine.ts';
import { userCache } from '../peers/debian-packages.ts';
import { startDockerd } from '../peers/dockerd.ts';
import { describeWith } from '../skip.ts';
import { shareBoxImage } from './box-image.ts';
import { knownDifferences } from './known-differences.ts';
import { compare, play, type Shown } from './play.ts';
import { startRegistries } from './registries.ts';
import { stepTitle, type Topic } from './step.ts';
import { topics } from './topics/index.ts';

/** Several at once: most steps wait for dockerd. */
const atOnce = 4;

interface Played {
  readonly ours: readonly Shown[];
  readonly theirs: readonly Shown[];
}

describeWith(['linux', 'root', { program: 'docker' }, { program: 'apt-get' }], 'skiffd beside dockerd', () => {
  const engines = new AsyncDisposableStack();
  const played = new Map<string, Played>();
  const used = new Set<(typeof knownDifferences)[number]>();
  const wanted = process.env['SKIFF_TOPICS']?.split(',');
  const chosen = topics.filter(({ name }) => wanted?.includes(name) ?? true);

  beforeAll(async () => {
    const skiffd = engines.use(await startEngine());
    const dockerd = engines.use(await startDockerd(userCache()));
    shareBoxImage({ skiffd: skiffd.socket, dockerd: dockerd.socket });
    const hosts = engines.use(await startRegistries(dockerd.netns));
    const waiting = [...chosen];
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [ours, theirs] = await Promise.all([play(next, skiffd.socket, hosts), play(next, dockerd.socket, hosts)]);
        played.set(next.name, { ours, theirs });
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
  }, 600_000);

  afterAll(() => engines.disposeAsync());

  for (const topic of chosen) {
    describe(topic.name, () => {
      it.each(topic.steps.map((step, index) => [index + 1, stepTitle(step), index] as const))(
        '%i: %s',
        (_number, title, index) => {
          const found = differencesAt(topic, index);
          const unknown = found.filter((line) => {
            const known = knownDifferences.find(
              ({ where, place }) => line.startsWith(place) && matches(`${topic.name}: ${title}`, where),
            );
            if (known !== undefined) used.add(known);
            return known === undefined;
          });
          expect(unknown).toEqual([]);
        },
      );
    });
  }

  it.skipIf(wanted !== undefined)('differs as listed, and no less', () => {
    expect(knownDifferences.filter((known) => !used.has(known))).toEqual([]);
  });

  function differencesAt(topic: Topic, index: number): readonly string[] {
    const { ours, theirs } = played.get(topic.name) ?? { ours: [], theirs: [] };
    const [our, their] = [ours[index], theirs[index]];
    if (our === undefined || their === undefined) throw new Error('the step was not played');
    return compare(our, their);
  }
});

function matches(title: string, where: string | RegExp): boolean {
  return typeof where === 'string' ? title.includes(where) : where.test(title);
}
