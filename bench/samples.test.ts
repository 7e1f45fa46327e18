import { expect, it } from 'vitest';
import { median, quantile, takeTurns } from './samples.ts';

it('finds quantiles between samples', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(quantile([0, 10], 0.95)).toBeCloseTo(9.5);
});

it('lets contenders take turns and does not count the warm-up', async () => {
  const order: string[] = [];
  const samples = await takeTurns({
    contenders: { a: async () => void order.push('a'), b: async () => void order.push('b') },
    rounds: 2,
    warmUp: 1,
  });
  expect(order.join('')).toBe('ababab');
  expect([samples['a']?.length, samples['b']?.length]).toEqual([2, 2]);
});
