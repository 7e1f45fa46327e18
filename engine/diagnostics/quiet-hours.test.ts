import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { QuietHours } from './quiet-hours.ts';

const megabyte = 1024 * 1024;
let bytes: number;
let given: number;
let hours: QuietHours;

beforeEach(() => {
  vi.useFakeTimers();
  bytes = 90 * megabyte;
  given = 0;
  hours = new QuietHours({
    quietMs: 1000,
    giveBack: () => {
      given++;
      bytes = 70 * megabyte;
    },
    memory: () => bytes,
    clock: () => Date.now(),
  });
});
afterEach(() => {
  hours[Symbol.dispose]();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

it('gives memory back once nothing has happened for a while, and then does not wake any more', () => {
  hours.stir();
  vi.advanceTimersByTime(900);
  hours.stir();
  vi.advanceTimersByTime(900);
  expect(given).toBe(0);
  vi.advanceTimersByTime(100);
  expect(given).toBe(1);
  expect(vi.getTimerCount()).toBe(0);
});

it('does so again after the next use, if that left something', () => {
  hours.stir();
  vi.advanceTimersByTime(1000);
  hours.stir();
  vi.advanceTimersByTime(1000);
  expect(given).toBe(1);
  bytes += 4 * megabyte;
  hours.stir();
  vi.advanceTimersByTime(1000);
  expect(given).toBe(2);
});
