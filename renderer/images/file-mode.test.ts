import { expect, test } from 'vitest';
import { modeText } from './file-mode.ts';

test.each([
  ['file', 0o644, '-rw-r--r--'],
  ['directory', 0o755, 'drwxr-xr-x'],
  ['file', 0o4755, '-rwsr-xr-x'],
  ['file', 0o4644, '-rwSr--r--'],
  ['file', 0o2755, '-rwxr-sr-x'],
  ['directory', 0o1777, 'drwxrwxrwt'],
  ['directory', 0o1776, 'drwxrwxrwT'],
  ['symlink', 0o777, 'lrwxrwxrwx'],
] as const)('%s %o is %s', (kind, mode, shown) => expect(modeText({ kind, mode })).toBe(shown));
