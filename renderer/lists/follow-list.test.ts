import { expect, test } from 'vitest';
import { DesktopError } from '../../desktop/contract/errors.ts';
import type { ListUpdate } from '../../desktop/contract/list-updates.ts';
import { DeltaList } from './delta-list.ts';
import { followList, type ListStatus } from './follow-list.ts';

type Update = ListUpdate<string, string>;
type Round = { readonly updates: readonly Update[]; readonly error?: Error };

/** Plays one round per opening of the stream; stops following when they are used up. */
async function play(rounds: readonly Round[]) {
  const stop = new AbortController();
  const list = new DeltaList<string, string>({ keyOfRow: (row) => row, keyText: (key) => key });
  const seen: string[] = [];
  const pauses: number[] = [];
  let opened = 0;
  await followList({
    list,
    open: async function* () {
      const round = rounds[opened];
      opened += 1;
      if (round === undefined) {
        stop.abort();
        return;
      }
      yield* round.updates;
      if (round.error) throw round.error;
    },
    onChange: (status: ListStatus) => seen.push(`${status.kind} ${list.rows.join(',')}`.trim()),
    pause: async (ms) => {
      pauses.push(ms);
    },
    now: () => 0,
    signal: stop.signal,
  });
  return { seen, pauses };
}

const snapshot = (seq: number, items: readonly string[]): Update => ({ kind: 'snapshot', seq, items: [...items] });
const change = (seq: number, upsert: readonly string[]): Update => ({
  kind: 'change',
  seq,
  upsert: [...upsert],
  remove: [],
});
const away = new DesktopError('disconnected', 'gone');

test('a list that was live becomes stale and keeps its rows until the next snapshot', async () => {
  const { seen } = await play([
    { updates: [snapshot(0, ['a']), change(1, ['b'])], error: away },
    { updates: [snapshot(0, ['c'])] },
  ]);
  expect(seen).toEqual(['live a', 'live a,b', 'stale a,b', 'live c', 'stale c']);
});

test('a list that never came says why', async () => {
  const { seen } = await play([{ updates: [], error: away }]);
  expect(seen).toEqual(['failed']);
});

test('a gap opens the stream again at once, without alarm', async () => {
  const { seen, pauses } = await play([
    { updates: [snapshot(0, ['a']), change(2, ['c'])] },
    { updates: [snapshot(7, ['a', 'b', 'c'])] },
  ]);
  expect(seen.slice(0, 2)).toEqual(['live a', 'live a,b,c']);
  expect(pauses).toHaveLength(1);
});

test('each failed try waits longer, up to five seconds, and a success starts over', async () => {
  const failed: Round = { updates: [], error: away };
  const { pauses } = await play([
    failed,
    failed,
    failed,
    failed,
    failed,
    failed,
    failed,
    { updates: [snapshot(0, [])], error: away },
  ]);
  expect(pauses).toEqual([250, 500, 1000, 2000, 4000, 5000, 5000, 250]);
});
