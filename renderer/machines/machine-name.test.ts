import { expect, test } from 'vitest';
import { freeName, nameProblem } from './machine-name.ts';

test.each(['web', 'build.box-1', 'A'])('a machine may be named %s', (name) => {
  expect(nameProblem(name, ['other'])).toBeNull();
});

test.each(['', '-web', 'a b', 'x'.repeat(64), 'other', 'OTHER'])('a machine may not be named "%s"', (name) => {
  expect(nameProblem(name, ['other'])).not.toBeNull();
});

test('a name that is taken is counted up', () => {
  expect(freeName('web', [])).toBe('web');
  expect(freeName('web', ['web', 'web-2'])).toBe('web-3');
  expect(freeName('x'.repeat(63), ['x'.repeat(63)])).toBe('');
});
