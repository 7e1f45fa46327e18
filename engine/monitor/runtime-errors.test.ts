import { expect, it } from 'vitest';
import { startErrorFrom } from './runtime-errors.ts';

it.each([
  [
    'executable file `nosuch` not found in $PATH: No such file or directory',
    'nosuch',
    127,
    'exec: "nosuch": executable file not found in $PATH',
  ],
  [
    'executable file `nosuch` not found: No such file or directory',
    'nosuch',
    127,
    'executable file not found in $PATH',
  ],
  [
    'executable file `/x` not found in $PATH: No such file or directory',
    '/x',
    127,
    'exec: "/x": stat /x: no such file or directory',
  ],
  ['open executable: Permission denied', '/x', 126, 'exec: "/x": permission denied'],
  ['open executable: Operation not permitted', '/etc', 126, 'exec: "/etc": permission denied'],
  ['the path `/etc` is not a regular file: Operation not permitted', '/etc', 126, 'exec: "/etc": permission denied'],
  [
    'the path `/x` exists but it is not executable: Operation not permitted',
    '/x',
    126,
    'exec: "/x": permission denied',
  ],
  ['open executable: Operation not permitted', '', 127, 'exec: "": executable file not found in $PATH'],
  ['cannot find `` in $PATH: No such file or directory', '', 127, 'exec: "": executable file not found in $PATH'],
  ['cannot open `/x/y`: Not a directory', '/x/y', 127, 'executable file not found'],
  ['cannot open `/c`: Too many levels of symbolic links', '/c', 128, 'stat /c: too many levels of symbolic links'],
  ['open executable: Not a directory', '/x/y', 127, 'executable file not found'],
  ['mount `proc` to `proc`: Operation not permitted', 'x', 128, 'mount `proc` to `proc`: Operation not permitted'],
  ['', 'x', 128, 'the runtime gave no reason'],
])('reads %j', (output, program, exitCode, text) => {
  const error = startErrorFrom(`2026-01-01T00:00:00Z: ${output}`.slice(output === '' ? 100 : 0), program);
  expect(error.exitCode).toBe(exitCode);
  expect(error.message).toContain(text);
  expect(error.kind).toBe(exitCode === 128 ? 'internal' : 'invalid');
});
