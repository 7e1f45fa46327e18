import { expect, it } from 'vitest';
import { Turns } from './turns.ts';

it('lets so many at a time, in the order in which they came, and passes over those who have given up', async () => {
  const turns = new Turns(1);
  const { signal } = new AbortController();
  const first = await turns.take(signal);
  expect(turns.isFree).toBe(false);
  const order: string[] = [];
  const impatient = new AbortController();
  const second = turns.take(impatient.signal).then(() => order.push('second'));
  const third = turns.take(signal).then((turn) => {
    order.push('third');
    turn[Symbol.dispose]();
  });
  impatient.abort(new Error('given up'));
  await expect(second).rejects.toThrow('given up');
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  await third;
  expect(order).toEqual(['third']);
  expect(turns.isFree).toBe(true);
  await expect(turns.take(impatient.signal)).rejects.toThrow('given up');
});
