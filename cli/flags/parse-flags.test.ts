import { describe, expect, it } from 'vitest';
import { UsageError } from '../usage-error.ts';
import { flag } from './flag.ts';
import { parseFlags } from './parse-flags.ts';

const table = {
  interactive: flag.switch({ short: 'i', help: '' }),
  tty: flag.switch({ short: 't', help: '' }),
  rm: flag.switch({ help: '' }),
  sigProxy: flag.switch({ help: '', initial: true }),
  publish: flag.list({ short: 'p', help: '' }),
  name: flag.text({ help: '' }),
  time: flag.integer({ short: 'n', help: '' }),
};
const none = {
  interactive: false,
  tty: false,
  rm: false,
  sigProxy: true,
  publish: [],
  name: undefined,
  time: undefined,
};

describe('words', () => {
  it.each([
    { words: [], flags: {}, args: [] },
    { words: ['-it', 'a', '--rm'], flags: { interactive: true, tty: true, rm: true }, args: ['a'] },
    {
      words: ['-p', '1:2', '-p3:4', '-p=5:6', '--publish', '7', '--publish=8'],
      flags: { publish: ['1:2', '3:4', '5:6', '7', '8'] },
      args: [],
    },
    { words: ['-itp', '80'], flags: { interactive: true, tty: true, publish: ['80'] }, args: [] },
    { words: ['--rm', '--rm=false', '-i=0'], flags: { rm: false, interactive: false }, args: [] },
    { words: ['--sig-proxy=false'], flags: { sigProxy: false }, args: [] },
    { words: ['--name', '--rm', '--name='], flags: { name: '' }, args: [] },
    { words: ['a', '--', '-i', '--'], flags: {}, args: ['a', '-i', '--'] },
    { words: ['-'], flags: {}, args: ['-'] },
    { words: ['-n', '-5'], flags: { time: -5 }, args: [] },
    { words: ['--name', 'a=b', '--name=c=d\ne'], flags: { name: 'c=d\ne' }, args: [] },
  ])('$words', ({ words, flags, args }) => {
    expect(parseFlags(table, words)).toEqual({ flags: { ...none, ...flags }, args, wantsHelp: false });
  });

  it('leaves everything after the first argument to the container where the verb wants that', () => {
    const { flags, args } = parseFlags(table, ['-i', 'hello', '-t', '--', '--help'], { stopAt: 'first-argument' });
    expect(flags).toEqual({ ...none, interactive: true });
    expect(args).toEqual(['hello', '-t', '--', '--help']);
  });

  it('sees --help before it complains of anything after it', () => {
    expect(parseFlags(table, ['--help', '--bogus']).wantsHelp).toBe(true);
  });
});

it.each([
  [['--bogus'], 'unknown flag: --bogus'],
  [['--init'], '--init is not supported yet'],
  [['-x'], "unknown shorthand flag: 'x' in -x"],
  [['-ix'], "unknown shorthand flag: 'x' in -ix"],
  [['--name'], 'flag needs an argument: --name'],
  [['-ip'], "flag needs an argument: 'p' in -ip"],
  [['--rm=maybe'], 'invalid argument "maybe" for "--rm" flag: strconv.ParseBool: parsing "maybe": invalid syntax'],
  [['-n', '1x'], 'invalid argument "1x" for "-n, --time" flag: strconv.ParseInt: parsing "1x": invalid syntax'],
])('refuses %j in docker’s words', (words, message) => {
  expect(() => parseFlags(table, words, { missing: ['init'] })).toThrow(new UsageError(message));
});
