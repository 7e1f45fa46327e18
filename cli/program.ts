import { nearest } from './did-you-mean.ts';
import { globalFlags } from './global-flags.ts';
import { flagLines, summaryLines } from './flags/help.ts';
import { parseFlags } from './flags/parse-flags.ts';
import { writeLines } from './report.ts';
import { UsageError } from './usage-error.ts';
import type { Context } from './verb.ts';
import { commonVerbs, groupNamed, groups, innerGroup, otherVerbs, rootGroup, verbNamed } from './verbs.ts';
import type { VerbGroup, VerbTable } from './verbs.ts';

export interface CommandLine {
  readonly globals: ReturnType<typeof parseFlags<typeof globalFlags>>['flags'];
  readonly wantsHelp: boolean;
  /** The verb and all after it. */
  readonly words: readonly string[];
}

export function parseCommandLine(words: readonly string[]): CommandLine {
  try {
    const { flags, args, wantsHelp } = parseFlags(globalFlags, words, {
      stopAt: 'first-argument',
      missing: ['config', 'log-level'],
    });
    return { globals: flags, words: args, wantsHelp };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(
      `${error.message}\n\nUsage:  skiff [OPTIONS] COMMAND [ARG...]\n\nRun 'skiff --help' for more information`,
    );
  }
}

/** Runs the verb that the words name. Resolves with the exit code; what fails is thrown. */
export async function runWords(words: readonly string[], context: Context): Promise<number> {
  const [first, ...rest] = words;
  // `skiff help run` is `skiff run --help`.
  if (first === 'help') return rest.length === 0 ? showRootHelp(context) : runWords([...rest, '--help'], context);
  if (first === '__complete') return (await import('./completion/complete.ts')).complete(rest, context);
  const group = groupNamed(first);
  return group ? runVerb(group, rest, context) : runVerb(rootGroup, words, context);
}

async function runVerb(group: VerbGroup, [name, ...rest]: readonly string[], context: Context): Promise<number> {
  if (name === undefined || name === '--help' || name === 'help') return showGroupHelp(group, context);
  const inner = innerGroup(group, name);
  if (inner) return runVerb(inner, rest, context);
  const found = verbNamed(group.table, name);
  if (found) return (await found.load()).execute(`${group.name} ${found.name}`, rest, context);
  const usage = group === rootGroup ? '' : `\n\nUsage:  ${group.name}`;
  const hint = `${usage}\n\nRun '${group.name} --help' for more information`;
  if (name.startsWith('-')) throw new UsageError(`unknown flag: ${name}${hint}`);
  if (group.missing.includes(name)) {
    throw new UsageError(`skiff: '${group.name} ${name}' is not supported yet${hint}`, 1);
  }
  const near = nearest(name, [...Object.keys(group.table), ...(group === rootGroup ? Object.keys(groups) : [])]);
  const question = near === null ? '' : `\n\nDid you mean '${group.name} ${near}'?`;
  throw new UsageError(`skiff: unknown command: ${group.name} ${name}${question}${hint}`, 1);
}

export async function showRootHelp(context: Context): Promise<number> {
  await writeLines(context.stdout, [
    'Usage:  skiff [OPTIONS] COMMAND',
    '',
    rootGroup.title,
    '',
    'Common Commands:',
    ...summaryLines(rowsOf(commonVerbs)),
    '',
    'Management Commands:',
    ...summaryLines(Object.entries(groups).map(([name, { title }]) => [name, title] as const)),
    '',
    'Commands:',
    ...summaryLines(rowsOf(otherVerbs)),
    '',
    'Global Options:',
    ...flagLines(globalFlags, context.stdout.isTTY ? context.stdout.columns : 80),
    '',
    "Run 'skiff COMMAND --help' for more information on a command.",
  ]);
  return 0;
}

async function showGroupHelp({ name, title, table, groups: inner = {} }: VerbGroup, context: Context): Promise<number> {
  if (table === rootGroup.table) return showRootHelp(context);
  await writeLines(context.stdout, [
    `Usage:  ${name} COMMAND`,
    '',
    title,
    '',
    'Commands:',
    ...summaryLines(
      [...rowsOf(table), ...Object.entries(inner).map(([verb, { title: about }]) => [verb, about] as const)].sort(
        ([a], [b]) => (a < b ? -1 : 1),
      ),
    ),
    '',
    `Run '${name} COMMAND --help' for more information on a command.`,
  ]);
  return 0;
}

function rowsOf(table: VerbTable): (readonly [name: string, summary: string])[] {
  return Object.entries(table).map(([verb, { summary }]) => [verb, summary] as const);
}
