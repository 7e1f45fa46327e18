import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { DiskReserve, isDiskFull } from './disk-reserve.ts';

const full = (): Error => Object.assign(new Error('database or disk is full'), { errcode: 13 });
let folder: string;
let reserve: DiskReserve;
beforeEach(() => {
  vi.useFakeTimers();
  folder = mkdtempSync(path.join(tmpdir(), 'skiff-reserve-'));
  reserve = new DiskReserve({ folder, pieces: 3, pieceBytes: 5000, refillMs: 100 });
  reserve.fill();
});
afterEach(() => {
  reserve[Symbol.dispose]();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

/** Fails until so many pieces were given back. */
function needs(pieces: number): () => string {
  return () => {
    if (readdirSync(folder).length > 3 - pieces) throw full();
    return 'done';
  };
}

it('has real blocks in each piece', () => {
  expect(readdirSync(folder)).toEqual(['0', '1', '2']);
  expect(statSync(path.join(folder, '0')).blocks * 512).toBeGreaterThanOrEqual(5000);
});

it('gives back as much as the work needs, and makes it again', () => {
  expect(reserve.around(needs(2))).toBe('done');
  expect(readdirSync(folder)).toHaveLength(1);
  vi.advanceTimersByTime(100);
  expect(readdirSync(folder)).toEqual(['0', '1', '2']);
});

it('lets the work fail when nothing is left, and at once when it fails for another reason', () => {
  expect(() => reserve.around(needs(4))).toThrow('is full');
  expect(readdirSync(folder)).toEqual([]);
  reserve.fill();
  expect(() =>
    reserve.around(() => {
      throw new Error('something else');
    }),
  ).toThrow('something else');
  expect(readdirSync(folder)).toHaveLength(3);
});

it('knows a full disk, also as the cause of another error', () => {
  expect(isDiskFull(new Error('no', { cause: Object.assign(new Error('x'), { code: 'ENOSPC' }) }))).toBe(true);
  expect(isDiskFull(Object.assign(new Error('x'), { code: 'EIO' }))).toBe(false);
});
