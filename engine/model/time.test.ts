import { expect, it } from 'vitest';
import { formatInstant, parseInstant, parseUnixTime, systemClock } from './time.ts';

it('prints and reads nanoseconds as Go does', () => {
  for (const text of [
    '2026-11-21T09:00:00Z',
    '2026-11-21T09:00:00.5Z',
    '2026-11-21T09:00:00.000000001Z',
    '1970-01-01T00:00:00Z',
  ]) {
    expect(formatInstant(parseInstant(text) ?? -1n)).toBe(text);
  }
  expect(parseInstant('2026-11-21T10:00:00.25+01:00')).toBe(parseInstant('2026-11-21T09:00:00.25Z'));
  expect(parseInstant('yesterday')).toBeNull();
});

it('reads unix times with up to nine digits of fraction', () => {
  expect(parseUnixTime('12')).toBe(12_000_000_000n);
  expect(parseUnixTime('12.000000003')).toBe(12_000_000_003n);
  expect(parseUnixTime('12.0000000034')).toBeNull();
  expect(parseUnixTime('x')).toBeNull();
});

it('has a clock that never goes back within a second and agrees with the wall', () => {
  const now = systemClock();
  const before = Date.now();
  const first = now();
  const after = Date.now();
  expect(now()).toBeGreaterThanOrEqual(first);
  const ms = Number(first / 1_000_000n);
  expect(ms).toBeGreaterThan(before - 100);
  expect(ms).toBeLessThan(after + 100);
});
