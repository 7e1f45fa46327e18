import { expect, test } from 'vitest';
import type { ListUpdate } from '../../desktop/contract/list-updates.ts';
import { DeltaList } from './delta-list.ts';
import { randomNumbers } from './random-numbers.ts';

interface Row {
  readonly id: string;
  readonly value: number;
}

const list = (): DeltaList<Row, string> =>
  new DeltaList({ keyOfRow: (row: Row) => row.id, keyText: (key: string) => key });
const change = (seq: number, upsert: readonly Row[] = [], remove: readonly string[] = []): ListUpdate<Row, string> => ({
  kind: 'change',
  seq,
  upsert: [...upsert],
  remove: [...remove],
});
const snapshot = (seq: number, items: readonly Row[]): ListUpdate<Row, string> => ({
  kind: 'snapshot',
  seq,
  items: [...items],
});
const sorted = (rows: readonly Row[]): readonly Row[] => [...rows].sort((a, b) => a.id.localeCompare(b.id));

test('changes before the first snapshot ask for one', () => {
  expect(list().apply(change(1))).toBe('gap');
});

test('a lost change stops the list until the next snapshot', () => {
  const rows = list();
  rows.apply(snapshot(4, [{ id: 'a', value: 1 }]));
  expect(rows.apply(change(6, [{ id: 'b', value: 2 }]))).toBe('gap');
  expect(rows.apply(change(5, [{ id: 'c', value: 3 }]))).toBe('gap');
  expect(rows.rows).toEqual([{ id: 'a', value: 1 }]);
  rows.apply(snapshot(9, []));
  expect(rows.apply(change(10, [{ id: 'd', value: 4 }]))).toBe('applied');
  expect(rows.rows).toEqual([{ id: 'd', value: 4 }]);
});

test('a change that the snapshot already contains is left out', () => {
  const rows = list();
  rows.apply(snapshot(4, [{ id: 'a', value: 1 }]));
  expect(rows.apply(change(4, [{ id: 'a', value: 0 }]))).toBe('seen-before');
  expect(rows.get('a')).toEqual({ id: 'a', value: 1 });
});

test('an unchanged row stays the same object, so that only changed rows are drawn again', () => {
  const rows = list();
  const kept = { id: 'a', value: 1 };
  rows.apply(snapshot(0, [kept]));
  rows.apply(change(1, [{ id: 'b', value: 2 }]));
  expect(rows.rows[0]).toBe(kept);
});

test('keys of several fields remove their row', () => {
  const rows = new DeltaList<{ machine: string; id: string }, { machine: string; id: string }>({
    keyOfRow: ({ machine, id }) => `${machine}/${id}`,
    keyText: ({ machine, id }) => `${machine}/${id}`,
  });
  const row = { machine: 'default', id: 'f00d' };
  rows.apply({ kind: 'snapshot', seq: 0, items: [row, { machine: 'other', id: 'f00d' }] });
  rows.apply({ kind: 'change', seq: 1, upsert: [], remove: [row] });
  expect(rows.rows).toEqual([{ machine: 'other', id: 'f00d' }]);
});

test('for any history, snapshot and changes give the list of the sender, whatever was lost or sent twice', () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = randomNumbers(seed);
    const sender = new Map<string, Row>();
    const receiver = list();
    receiver.apply(snapshot(0, []));
    for (let seq = 1; seq <= 60; seq += 1) {
      const upsert = Array.from({ length: random(3) }, () => ({ id: `c${random(12)}`, value: random(1_000) }));
      const remove = random(3) === 0 ? [`c${random(12)}`] : [];
      for (const id of remove) sender.delete(id);
      for (const row of upsert) sender.set(row.id, row);
      if (random(10) === 0) continue;
      const times = 1 + Number(random(10) === 0);
      for (let time = 0; time < times; time += 1) {
        if (receiver.apply(change(seq, upsert, remove)) === 'gap') receiver.apply(snapshot(seq, [...sender.values()]));
      }
      expect(sorted(receiver.rows), `seed ${seed}, seq ${seq}`).toEqual(sorted([...sender.values()]));
    }
  }
});
