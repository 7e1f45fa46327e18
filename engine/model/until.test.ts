import { expect, it } from 'vitest';
import { parseFilters } from './filters.ts';
import { parseInstant } from './time.ts';
import { passesPruneLabels, pruneUntil } from './until.ts';

const now = parseInstant('2026-11-21T12:00:00Z') ?? 0n;
const until = (...values: readonly string[]): bigint | null =>
  pruneUntil(parseFilters(JSON.stringify({ until: values }), ['until']), now);

it.each([
  ['10m', '2026-11-21T11:50:00Z'],
  ['1h30m', '2026-11-21T10:30:00Z'],
  ['1.5s', '2026-11-21T11:59:58.5Z'],
  ['2026-11-20T00:00:00Z', '2026-11-20T00:00:00Z'],
  ['2026-11-20T00:00:00.000000001+01:00', '2026-11-19T23:00:00.000000001Z'],
  ['2026-11-20T00:00Z', '2026-11-20T00:00:00Z'],
  ['1795176000.5', '2026-11-20T12:00:00.5Z'],
])('reads %s', (text, expected) => {
  expect(until(text)).toBe(parseInstant(expected));
});

it('refuses what is no time, and two of them', () => {
  expect(() => until('x')).toThrow('failed to parse value as time or duration: "x"');
  expect(() => until('10')).not.toThrow();
  expect(() => until('10m', '5m')).toThrow('more than one until filter specified');
  expect(until()).toBeNull();
});

it('prunes by labels that are there, and by labels that are not', () => {
  const passes = (filters: object): boolean =>
    passesPruneLabels(parseFilters(JSON.stringify(filters), ['label', 'label!']), { a: '1', b: '' });
  expect(passes({})).toBe(true);
  expect(passes({ label: ['a=1', 'b'] })).toBe(true);
  expect(passes({ label: ['a=2'] })).toBe(false);
  expect(passes({ 'label!': ['a'] })).toBe(false);
  expect(passes({ 'label!': ['a', 'c'] })).toBe(true);
});
