import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { CountedKills } from './counted-kills.ts';

let counted: number | null;
let onKill: ReturnType<typeof vi.fn<() => void>>;
let kills: CountedKills;
beforeEach(() => {
  vi.useFakeTimers();
  counted = 3;
  onKill = vi.fn<() => void>();
  kills = new CountedKills({ count: () => counted, onKill });
});
afterEach(() => {
  kills[Symbol.dispose]();
  vi.useRealTimers();
});

it('one that many notices come with is told once, as soon as it is counted', () => {
  for (let notice = 0; notice < 250; notice++) kills.noticed();
  expect(onKill).not.toHaveBeenCalled();
  counted = 4;
  vi.advanceTimersByTime(20);
  expect(onKill).toHaveBeenCalledOnce();
  for (let notice = 0; notice < 250; notice++) kills.noticed();
  vi.advanceTimersByTime(60_000);
  expect(onKill).toHaveBeenCalledOnce();
});

it('two that are counted at different times are told both, whenever their notices came', () => {
  kills.noticed();
  kills.noticed();
  counted = 4;
  vi.advanceTimersByTime(500);
  counted = 5;
  vi.advanceTimersByTime(60_000);
  expect(onKill).toHaveBeenCalledTimes(2);
});

it('what is noticed and never counted is told once', () => {
  kills.noticed();
  kills.noticed();
  vi.advanceTimersByTime(60_000);
  expect(onKill).toHaveBeenCalledOnce();
  kills.noticed();
  vi.advanceTimersByTime(60_000);
  expect(onKill).toHaveBeenCalledTimes(2);
});

it('nothing is told of a cgroup that nobody watches any more', () => {
  kills.noticed();
  kills[Symbol.dispose]();
  counted = 4;
  vi.advanceTimersByTime(60_000);
  expect(onKill).not.toHaveBeenCalled();
});
