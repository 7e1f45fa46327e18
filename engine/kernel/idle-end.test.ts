import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { IdleEnd } from './idle-end.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it('waits longer for who started it than for who was there already', () => {
  const end = vi.fn();
  const idle = new IdleEnd({ idleMs: 200, end });
  idle.unused();
  vi.advanceTimersByTime(9_000);
  expect(end).not.toHaveBeenCalled();
  idle.used();
  vi.advanceTimersByTime(60_000);
  expect(end).not.toHaveBeenCalled();
  idle.unused();
  vi.advanceTimersByTime(199);
  expect(end).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(end).toHaveBeenCalledOnce();
});

it('ends when nobody ever comes', () => {
  const end = vi.fn();
  new IdleEnd({ idleMs: 200, end }).unused();
  vi.advanceTimersByTime(10_000);
  expect(end).toHaveBeenCalledOnce();
});

it('counts from the moment that nobody used it any more, however often it is told so', () => {
  const end = vi.fn();
  const idle = new IdleEnd({ idleMs: 200, end });
  idle.used();
  idle.unused();
  vi.advanceTimersByTime(150);
  idle.unused();
  vi.advanceTimersByTime(50);
  expect(end).toHaveBeenCalledOnce();
});

it('does not end what is ended', () => {
  const end = vi.fn();
  const idle = new IdleEnd({ idleMs: 200, end });
  idle.unused();
  idle[Symbol.dispose]();
  vi.advanceTimersByTime(60_000);
  expect(end).not.toHaveBeenCalled();
});
