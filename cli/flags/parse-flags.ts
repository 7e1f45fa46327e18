import { nearest } from '../did-you-mean.ts';
import { UsageError } from '../usage-error.ts';
import { flagName } from './flag.ts';
import type { Flag, FlagTable, ValuesOf } from './flag.ts';

export interface ParseOptions {
  /** `first-argument`: what follows the first argument is not looked at (`run IMAGE ls -l`). */
  readonly stopAt?: 'first-argument' | 'end';
  /** Flags that docker has and this program does not yet, without dashes: a better answer than "unknown". */
  readonly missing?: readonly string[];
}

export interface Parsed<F extends FlagTable> {
  readonly flags: ValuesOf<F>;
  readonly args: readonly string[];
  /** `--help` was among them; then nothing else was checked. */
  readonly wantsHelp: boolean;
}

/** Parses a command line by its table. Throws UsageError in docker's words. */
export function parseFlags<F extends FlagTable>(
  table: F,
  words: readonly string[],
  options: ParseOptions = {},
): Parsed<F> {
  const values = new Map<string, unknown>(Object.entries(table).map(([key, { initial }]) => [key, initial]));
  const args: string[] = [];
  const rest = [...words];
  const set = (key: string, label: string, text: string): void => {
    try {
      values.set(key, table[key]?.take(values.get(key), text));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new UsageError(`invalid argument ${JSON.stringify(text)} for "${label}" flag: ${error.message}`);
    }
  };
  let wantsHelp = false;
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      args.push(...rest.splice(0));
    } else if (word === '--help') {
      wantsHelp = true;
      break;
    } else if (word.startsWith('--')) {
      takeLong(table, { word, rest, set, missing: options.missing ?? [] });
    } else if (word.startsWith('-') && word !== '-') {
      takeShorts(table, { word, rest, set });
    } else {
      args.push(word);
      if (options.stopAt === 'first-argument') args.push(...rest.splice(0));
    }
  }
  return { flags: Object.fromEntries(values) as ValuesOf<F>, args, wantsHelp };
}

interface Taking {
  readonly word: string;
  readonly rest: string[];
  readonly set: (key: string, label: string, text: string) => void;
}

function takeLong(table: FlagTable, { word, rest, set, missing }: Taking & { missing: readonly string[] }): void {
  const [, name = '', inline] = /^--([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
  const key = Object.keys(table).find((candidate) => flagName(candidate) === name);
  const found = key === undefined ? undefined : table[key];
  if (key === undefined || found === undefined) {
    if (missing.includes(name)) throw new UsageError(`--${name} is not supported yet`);
    const near = nearest(name, Object.keys(table).map(flagName));
    throw new UsageError(`unknown flag: --${name}${near === null ? '' : `; did you mean --${near}?`}`);
  }
  const text = inline ?? (found.placeholder === null ? 'true' : rest.shift());
  if (text === undefined) throw new UsageError(`flag needs an argument: --${name}`);
  set(key, labelOf(key, found), text);
}

function takeShorts(table: FlagTable, { word, rest, set }: Taking): void {
  for (let letters = word.slice(1); letters !== '';) {
    const letter = letters.slice(0, 1);
    letters = letters.slice(1);
    const [key, found] = Object.entries(table).find(([, { short }]) => short === letter) ?? [];
    if (key === undefined || found === undefined)
      throw new UsageError(`unknown shorthand flag: '${letter}' in ${word}`);
    if (found.placeholder === null && !letters.startsWith('=')) {
      set(key, labelOf(key, found), 'true');
      continue;
    }
    const text = letters === '' ? rest.shift() : letters.replace(/^=/, '');
    if (text === undefined) throw new UsageError(`flag needs an argument: '${letter}' in ${word}`);
    set(key, labelOf(key, found), text);
    return;
  }
}

function labelOf(key: string, { short }: Flag<unknown>): string {
  return short === null ? `--${flagName(key)}` : `-${short}, --${flagName(key)}`;
}
