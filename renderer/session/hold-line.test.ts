import { expect, test } from 'vitest';
import { contract, type DesktopServices } from '../../desktop/contract/contract.ts';
import type { Link } from '../../desktop/wire/link.ts';
import { memoryLinks } from '../../desktop/wire/memory-link.ts';
import { serve } from '../../desktop/wire/serve.ts';
import { FixtureWorld } from '../../test/browser/fixture-world.ts';
import { holdLine } from './hold-line.ts';

type Try = 'answers' | 'not-there';

/** A core that takes or refuses one connection after the other, as told; ends when the tries are used up. */
async function hold(tries: readonly Try[], facts: { readonly isRefused?: boolean } = {}) {
  const stop = new AbortController();
  const seen: string[] = [];
  const pauses: number[] = [];
  const services: DesktopServices = new FixtureWorld().services;
  let at = 0;
  let coreEnd: Link | null = null;
  await holdLine({
    open: async () => {
      const next = tries[at];
      at += 1;
      if (next === undefined) stop.abort();
      if (next !== 'answers') throw new Error('connection refused');
      const [here, there] = memoryLinks();
      serve({ contract, implementation: services, link: there });
      coreEnd = there;
      return here;
    },
    isRefused: async () => facts.isRefused ?? false,
    onClient: (_client, info) => seen.push(`client ${info.version}`),
    onState: (state) => {
      seen.push(state.kind);
      // As soon as the page is told that the line is open, the core goes away.
      if (state.kind === 'open') coreEnd?.close('gone');
    },
    pause: async (ms) => {
      pauses.push(ms);
    },
    now: () => 0,
    signal: stop.signal,
  });
  return { seen, pauses };
}

test('a line that is lost is opened again, and the page is given a new client', async () => {
  const { seen } = await hold(['answers', 'answers']);
  expect(seen).toEqual(['connecting', 'client 0.1.0', 'open', 'reconnecting', 'client 0.1.0', 'open', 'reconnecting']);
});

test('while nobody is there each try waits longer, up to four seconds, and a success starts over', async () => {
  const { pauses } = await hold([
    'not-there',
    'not-there',
    'not-there',
    'not-there',
    'not-there',
    'not-there',
    'answers',
  ]);
  expect(pauses).toEqual([250, 500, 1000, 2000, 4000, 4000, 250]);
});

test('a core that turns the page away is told apart from one that is not there', async () => {
  const { seen } = await hold(['not-there'], { isRefused: true });
  expect(seen).toEqual(['connecting', 'refused']);
});
