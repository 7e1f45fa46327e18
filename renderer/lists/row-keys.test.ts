import { expect, test } from 'vitest';
import { rowAfterKey } from './row-keys.ts';

test.each([
  ['ArrowDown', 3, 4],
  ['j', 3, 4],
  ['j', 9, 9],
  ['ArrowUp', 0, 0],
  ['k', 3, 2],
  ['PageDown', 3, 7],
  ['PageDown', 8, 9],
  ['PageUp', 3, 0],
  ['Home', 5, 0],
  ['End', 5, 9],
  ['j', -1, 0],
])('%s in row %i of ten leads to row %i', (key, index, next) => {
  expect(rowAfterKey({ key, index, count: 10, pageSize: 4 })).toBe(next);
});

test('other keys are left to the browser', () => {
  expect(rowAfterKey({ key: 'a', index: 0, count: 10, pageSize: 4 })).toBeNull();
});

test('an empty list has no row to go to', () => {
  expect(rowAfterKey({ key: 'End', index: 0, count: 0, pageSize: 4 })).toBeNull();
});
