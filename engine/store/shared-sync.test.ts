import { expect, it } from 'vitest';
import { SharedSync } from './shared-sync.ts';

it('serves all who come while one runs with the next one, and no one with one that had begun', async () => {
  const begun: PromiseWithResolvers<void>[] = [];
  const sync = new SharedSync(() => {
    begun.push(Promise.withResolvers<void>());
    return begun.at(-1)?.promise ?? Promise.resolve();
  });
  const answered: string[] = [];
  const ask = (name: string): Promise<unknown> =>
    sync.reach().then(
      () => answered.push(name),
      () => answered.push(`${name} failed`),
    );
  const asked = [ask('first'), ask('second'), ask('third')];
  expect(begun).toHaveLength(1);
  begun[0]?.reject(new Error('no disk'));
  await asked[0];
  await expect.poll(() => begun.length).toBe(2);
  expect(answered).toEqual(['first failed']);
  asked.push(ask('fourth'));
  begun[1]?.resolve();
  await Promise.all(asked.slice(0, 3));
  expect(answered).toEqual(['first failed', 'second', 'third']);
  await expect.poll(() => begun.length).toBe(3);
  begun[2]?.resolve();
  await Promise.all(asked);
  await Promise.all([
    ask('later'),
    expect
      .poll(() => begun.length)
      .toBe(4)
      .then(() => begun[3]?.resolve()),
  ]);
});
