import { expect, test } from 'vitest';
import { ago, elapsed, elapsedWhole, span } from './duration.ts';

test.each([
  [-5, '0.0 s'],
  [0, '0.0 s'],
  [449, '0.4 s'],
  [9_999, '9.9 s'],
  [10_000, '10 s'],
  [59_999, '59 s'],
  [60_000, '1:00 min'],
  [187_000, '3:07 min'],
  [3_600_000, '1:00:00 h'],
  [3_849_000, '1:04:09 h'],
])('a span of %i ms reads %s', (span, words) => {
  expect(elapsed(span)).toBe(words);
});

test('a running span shows no tenths, which would flicker', () => {
  expect(elapsedWhole(7_940)).toBe('7 s');
  expect(elapsedWhole(61_000)).toBe('1:01 min');
});

test.each([
  [-1, '0 s'],
  [59_999, '59 s'],
  [3 * 60_000, '3 min'],
  [119 * 60_000, '1 h'],
  [30 * 3_600_000, '1 day'],
  [72 * 3_600_000, '3 days'],
])('in a list, %i ms are %s', (ms, words) => {
  expect(span(ms)).toBe(words);
});

const now = Date.parse('2026-11-21T12:00:00Z');
test.each([
  ['2026-11-21T12:00:05Z', 'just now'],
  ['2026-11-21T11:59:55Z', 'just now'],
  ['2026-11-21T11:59:20Z', '40 s ago'],
  ['2026-11-21T11:55:00Z', '5 min ago'],
  ['2026-11-21T09:00:00Z', '3 h ago'],
  ['2026-11-20T11:00:00Z', 'yesterday'],
  ['2026-11-18T11:00:00Z', '3 days ago'],
  ['2026-09-01T00:00:00Z', '2026-09-01'],
  ['no date', '–'],
])('%s reads %s', (then, words) => {
  expect(ago(Date.parse(then), now)).toBe(words);
});
