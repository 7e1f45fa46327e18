import { expect, it } from 'vitest';
import { psColumns } from './ps-arguments.ts';

const titles = (text: string): string =>
  psColumns(text)
    .map(({ title }) => title)
    .join(' ');

it.each([
  ['', 'UID PID PPID C STIME TTY TIME CMD'],
  ['-ef', 'UID PID PPID C STIME TTY TIME CMD'],
  [' -e  -f ', 'UID PID PPID C STIME TTY TIME CMD'],
  ['aux', 'USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND'],
  ['-e', 'PID TTY TIME CMD'],
  ['ax', 'PID TTY STAT TIME COMMAND'],
  ['-o pid,comm,args', 'PID COMMAND COMMAND'],
  ['-eo pid,cmd,%cpu', 'PID CMD %CPU'],
  ['-opid -o user', 'PID USER'],
  ['axo pid,rss', 'PID RSS'],
  ['-o pid -o comm=NAME', 'PID NAME'],
  ['--format pid,ppid', 'PID PPID'],
])('shows for %j the columns %s', (text, expected) => {
  expect(titles(text)).toBe(expected);
});

it.each([
  ['-o comm', "Couldn't find PID field in ps output"],
  ['-o pid=', "Couldn't find PID field in ps output"],
  ['--foo', 'ps: error: unknown gnu long option'],
  ['; touch /tmp/x', 'ps: error: garbage option'],
  ['-o pid,nosuch', 'ps: error: unknown user-defined format specifier "nosuch"'],
  ['-o pid,constructor', 'ps: error: unknown user-defined format specifier "constructor"'],
  ['-o', 'ps: error: list of format names is missing'],
])('refuses %j: %s', (text, message) => {
  expect(() => psColumns(text)).toThrow(message);
});
