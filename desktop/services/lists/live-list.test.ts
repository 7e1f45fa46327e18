import { describe, expect, it } from 'vitest';
import type { ListUpdate } from '../../contract/list-updates.ts';
import { LiveList } from './live-list.ts';

interface Row {
  readonly id: number;
  readonly word: string;
}

const rows = (): LiveList<Row, number> => new LiveList({ keyOf: ({ id }) => id, keyText: String });
const never = new AbortController().signal;

/** What a page makes of the updates; throws where they do not fit together. */
class Replica {
  readonly items = new Map<number, Row>();
  #seq = -1;

  apply(update: ListUpdate<Row, number>): void {
    if (update.seq !== this.#seq + 1) throw new Error(`update ${update.seq} came after ${this.#seq}`);
    this.#seq = update.seq;
    if (update.kind === 'snapshot') for (const row of update.items) this.items.set(row.id, row);
    else {
      for (const row of update.upsert) this.items.set(row.id, row);
      for (const id of update.remove) {
        if (!this.items.delete(id)) throw new Error(`${id} was removed and never there`);
      }
    }
  }
}

const byId = (a: Row, b: Row): number => a.id - b.id;

describe('a live list', () => {
  it('sends the list whole, then what changed', async () => {
    const list = rows();
    list.set({ id: 1, word: 'one' });
    const updates = list.watch(never);
    expect(await updates.next()).toEqual({
      done: false,
      value: { kind: 'snapshot', seq: 0, items: [{ id: 1, word: 'one' }] },
    });
    list.set({ id: 2, word: 'two' });
    list.delete(1);
    expect((await updates.next()).value).toEqual({
      kind: 'change',
      seq: 1,
      upsert: [{ id: 2, word: 'two' }],
      remove: [1],
    });
    await updates.return(undefined);
  });

  it('says nothing when nothing changed, or what came is gone again', async () => {
    const list = rows();
    list.set({ id: 1, word: 'one' });
    const updates = list.watch(never);
    await updates.next();
    const change = updates.next();
    list.set({ id: 1, word: 'one' });
    list.set({ id: 2, word: 'two' });
    list.delete(2);
    list.delete(3);
    list.set({ id: 1, word: 'uno' });
    expect((await change).value).toEqual({ kind: 'change', seq: 1, upsert: [{ id: 1, word: 'uno' }], remove: [] });
    await updates.return(undefined);
  });

  it('sends each watcher, however slow, what the list holds in the end', async () => {
    let state = 7;
    const random = (below: number): number => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return state % below;
    };
    const list = rows();
    const watchers = Array.from({ length: 5 }, () => ({ updates: list.watch(never), replica: new Replica() }));
    for (const { updates, replica } of watchers) replica.apply((await updates.next()).value);
    for (let round = 0; round < 2000; round += 1) {
      const id = random(30);
      if (random(3) === 0) list.delete(id);
      else list.set({ id, word: String(random(4)) });
      const watcher = watchers[random(50)];
      if (watcher) {
        list.set({ id: 1000, word: String(round) });
        watcher.replica.apply((await watcher.updates.next()).value);
      }
    }
    list.set({ id: 1000, word: 'the end' });
    for (const { updates, replica } of watchers) {
      replica.apply((await updates.next()).value);
      expect([...replica.items.values()].toSorted(byId)).toEqual(list.values().toSorted(byId));
      await updates.return(undefined);
    }
  });

  it('replaces a part and leaves the rest', () => {
    const list = rows();
    for (const id of [1, 2, 11, 12]) list.set({ id, word: '' });
    list.replace([{ id: 2, word: 'new' }], ({ id }) => id < 10);
    expect(list.values().map(({ id }) => id)).toEqual([2, 11, 12]);
  });

  it('ends a watcher that waits when its signal fires', async () => {
    const list = rows();
    const stop = new AbortController();
    const updates = list.watch(stop.signal);
    await updates.next();
    const last = updates.next();
    stop.abort();
    expect(await last).toEqual({ done: true, value: undefined });
  });

  it('waits until something can be found in it', async () => {
    const list = rows();
    const found = list.until(() => list.get(5)?.word, never);
    list.set({ id: 4, word: 'four' });
    list.set({ id: 5, word: 'five' });
    expect(await found).toBe('five');
    const stop = new AbortController();
    const lost = list.until(() => list.get(6)?.word, stop.signal);
    stop.abort(new Error('enough'));
    await expect(lost).rejects.toThrow('enough');
  });
});
