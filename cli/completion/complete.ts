import { EngineClient } from '../../client/engine-client.ts';
import { chooseEngine, engineDialer } from '../engine-door.ts';
import type { Flag, FlagTable, Offer } from '../flags/flag.ts';
import { flagName } from '../flags/flag.ts';
import { parseFlags } from '../flags/parse-flags.ts';
import { globalFlags } from '../global-flags.ts';
import { writeLines } from '../report.ts';
import type { Context, Verb } from '../verb.ts';
import { groupNamed, groups, innerGroup, rootGroup, verbNamed } from '../verbs.ts';
import type { VerbTable } from '../verbs.ts';
import { offered } from './offered.ts';
import type { Candidate } from './offered.ts';

/** What a shell does itself. */
const filesLine = ':file';

/**
 * The hidden verb that shells call at a press of tab: `skiff __complete WORD...`, of which the last one is not finished. Prints a line a
 * candidate, with a tab before what explains it; or `:file` where the shell is to offer files. Never fails: a completion that prints an
 * error into the line that is typed helps nobody.
 */
export async function complete(words: readonly string[], context: Context): Promise<number> {
  const current = words.at(-1) ?? '';
  try {
    const found = await candidates(words.slice(0, -1), current, context);
    const lines = found === 'file' ? [filesLine] : found.filter(({ value }) => value.startsWith(current)).map(lineOf);
    await writeLines(context.stdout, lines);
  } catch {
    return 1;
  }
  return 0;
}

function lineOf({ value, about }: Candidate): string {
  return about === '' ? value : `${value}\t${about}`;
}

async function candidates(
  before: readonly string[],
  current: string,
  context: Context,
): Promise<readonly Candidate[] | 'file'> {
  const ofGlobals = walk(globalFlags, before, 'first-argument');
  const ask: Ask = (offer, args = []) => askEngine({ offer, args, flagWords: ofGlobals.flagWords }, context);
  const [first, ...rest] = ofGlobals.args;
  if (ofGlobals.pending) return ask(ofGlobals.pending.offers ?? 'nothing');
  if (first === undefined)
    return current.startsWith('-') ? flagCandidates(globalFlags, current, ask) : rootCandidates();
  const outer = groupNamed(first);
  const inner = outer && innerGroup(outer, rest[0]);
  const group = inner ?? outer;
  const [name, ...others] = inner ? rest.slice(1) : outer ? rest : ofGlobals.args;
  if (group && name === undefined) {
    const groupsBelow = Object.entries(group.groups ?? {}).map(([value, { title }]) => ({ value, about: title }));
    return [...verbCandidates(group.table), ...groupsBelow];
  }
  const found = verbNamed((group ?? rootGroup).table, name ?? '');
  return found ? ofVerb(await found.load(), { before: others, current, ask }) : [];
}

async function ofVerb(
  verb: Verb,
  { before, current, ask }: { readonly before: readonly string[]; readonly current: string; readonly ask: Ask },
): Promise<readonly Candidate[] | 'file'> {
  const { args, pending, isOver } = walk(verb.flags, before, verb.stopAt);
  if (pending) return ask(pending.offers ?? 'nothing');
  if (current.startsWith('-') && !isOver) return flagCandidates(verb.flags, current, ask);
  return ask(verb.offers[Math.min(args.length, verb.offers.length - 1)] ?? 'nothing', args);
}

/** `args`: what stands before the word, where it says which thing's. */
type Ask = (offer: Offer, args?: readonly string[]) => Promise<readonly Candidate[] | 'file'>;

/** Where the walk over finished words ends. */
interface Walked {
  readonly args: readonly string[];
  /** The flag whose value comes next. */
  readonly pending: Flag<unknown> | null;
  /** Flags and their values. */
  readonly flagWords: readonly string[];
  /** No more flags are looked for. */
  readonly isOver: boolean;
}

function walk(table: FlagTable, words: readonly string[], stopAt: 'first-argument' | 'end'): Walked {
  const args: string[] = [];
  const flagWords: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    if (word === '--') return { args: [...args, ...words.slice(at + 1)], pending: null, flagWords, isOver: true };
    if (!word.startsWith('-') || word === '-') {
      if (stopAt === 'first-argument') return { args: words.slice(at), pending: null, flagWords, isOver: true };
      args.push(word);
      continue;
    }
    flagWords.push(word);
    const found = valueFlag(table, word);
    if (found === null) continue;
    if (at === words.length - 1) return { args, pending: found, flagWords, isOver: false };
    flagWords.push(words[++at] ?? '');
  }
  return { args, pending: null, flagWords, isOver: false };
}

/** The flag that takes the next word as its value; null when the word needs none. */
function valueFlag(table: FlagTable, word: string): Flag<unknown> | null {
  if (word.includes('=')) return null;
  const last = word.startsWith('--') ? word.slice(2) : null;
  for (const [key, flag] of Object.entries(table)) {
    if (flag.placeholder === null) continue;
    if (last === null ? word.endsWith(flag.short ?? '\n') && isAlone(table, word) : flagName(key) === last) return flag;
  }
  return null;
}

/** `-it` but not `-p8080`: every letter before the last is a switch. */
function isAlone(table: FlagTable, word: string): boolean {
  const switches = Object.values(table)
    .filter(({ placeholder }) => placeholder === null)
    .map(({ short }) => short);
  return [...word.slice(1, -1)].every((letter) => switches.includes(letter));
}

async function flagCandidates(table: FlagTable, current: string, ask: Ask): Promise<readonly Candidate[] | 'file'> {
  const [, name, start] = /^--([^=]+)=(.*)$/s.exec(current) ?? [];
  if (name !== undefined && start !== undefined) {
    const [, flag] = Object.entries(table).find(([key]) => flagName(key) === name) ?? [];
    const values = await ask(flag?.offers ?? 'nothing');
    return values === 'file' ? values : values.map(({ value, about }) => ({ value: `--${name}=${value}`, about }));
  }
  return Object.entries(table)
    .filter(([, { isHidden }]) => !isHidden)
    .map(([key, { help }]) => ({ value: `--${flagName(key)}`, about: help }));
}

function rootCandidates(): readonly Candidate[] {
  const ofGroups = Object.entries(groups).map(([value, { title }]) => ({ value, about: title }));
  return [...verbCandidates(rootGroup.table), ...ofGroups];
}

function verbCandidates(table: VerbTable): readonly Candidate[] {
  return Object.entries(table).map(([value, { summary }]) => ({ value, about: summary }));
}

/** Looks at the engine that the line names, not at that of the completion's own call. */
async function askEngine(
  {
    offer,
    args,
    flagWords,
  }: { readonly offer: Offer; readonly args: readonly string[]; readonly flagWords: readonly string[] },
  context: Context,
): Promise<readonly Candidate[] | 'file'> {
  if (offer === 'file') return 'file';
  const { flags } = parseFlags(globalFlags, flagWords);
  const { environment } = context;
  using engine = new EngineClient(engineDialer(chooseEngine(flags, environment), flags, environment), {
    timeoutMs: 2_000,
  });
  return await offered(offer, { engine, environment, args });
}
