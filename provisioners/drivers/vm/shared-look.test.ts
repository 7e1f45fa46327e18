import { expect, it } from 'vitest';
import { SharedLook } from './shared-look.ts';

it('looks once for all who ask at once, and anew for who asks while it looks', async () => {
  const looks: PromiseWithResolvers<number>[] = [];
  const shared = new SharedLook(() => {
    const look = Promise.withResolvers<number>();
    looks.push(look);
    return look.promise;
  });
  const first = [shared.get(), shared.get()];
  await expect.poll(() => looks.length).toBe(1);
  const second = [shared.get(), shared.get()];
  looks[0]?.resolve(1);
  expect(await Promise.all(first)).toEqual([1, 1]);
  await expect.poll(() => looks.length).toBe(2);
  looks[1]?.resolve(2);
  expect(await Promise.all(second)).toEqual([2, 2]);
});

it('looks again after it has failed', async () => {
  let looks = 0;
  const shared = new SharedLook(() => (++looks === 1 ? Promise.reject(new Error('gone')) : Promise.resolve(looks)));
  await expect(shared.get()).rejects.toThrow('gone');
  expect(await shared.get()).toBe(2);
});
