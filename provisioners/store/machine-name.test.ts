import { describe, expect, it } from 'vitest';
import { isMachineName, parseMachineName } from './machine-name.ts';

describe('a machine name', () => {
  it.each(['default', 'a', 'Web-2', '0', 'a.b-c', 'x'.repeat(63)])('may be %s', (name) => {
    expect(parseMachineName(name)).toBe(name);
  });

  it.each([
    ['', 'empty'],
    ['-x', 'begin with a letter or a digit'],
    ['.x', 'begin with a letter or a digit'],
    ['a_b', 'only letters'],
    ['a/b', 'only letters'],
    ['a b', 'only letters'],
    ['ä', 'begin with a letter or a digit'],
    ['a\n', 'only letters'],
    ['a.', 'end with a dot'],
    ['x'.repeat(64), '64 characters'],
    ['con', 'Windows'],
    ['LPT1.x', 'Windows'],
  ])('may not be %j: %s', (name, why) => {
    expect(() => parseMachineName(name)).toThrow(
      expect.objectContaining({ code: 'invalid-name', message: expect.stringContaining(why) }),
    );
    expect(isMachineName(name)).toBe(false);
  });
});
