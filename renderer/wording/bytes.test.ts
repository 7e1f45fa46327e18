import { expect, test } from 'vitest';
import { bytes } from './bytes.ts';

test.each([
  [0, '0 B'],
  [-1, '0 B'],
  [1023, '1023 B'],
  [1024, '1 KB'],
  [1_610_612_736, '1.5 GB'],
  [2_147_483_648, '2 GB'],
  [21_474_836_480, '20 GB'],
  [5_000_000_000_000_000, '4547.5 TB'],
])('%i bytes read %s', (size, words) => {
  expect(bytes(size)).toBe(words);
});
