import { flag } from './flags/flag.ts';
import { flagLines, summaryLines } from './flags/help.ts';
import { parseFlags } from './flags/parse-flags.ts';
import { writeLines } from './report.ts';
import { UsageError } from './usage-error.ts';
import type { Context } from './verb.ts';
import { machineVerbs, missingMachineVerbs, missingVerbs, verbs } from './verbs.ts';
import type { VerbTable } from './verbs.ts';

const globalFlags = {
  debug: flag.switch({ short: 'D', help: 'Show the whole story of an error' }),
  host: flag.text({ short: 'H', help: 'Socket of the engine: unix:///path (env SKIFF_HOST)' }),
  machine: flag.text({
    short: 'm',
    help: 'Machine whose engine is meant (env SKIFF_MACHINE, default "default")',
    placeholder: 'name',
  }),
  version: flag.switch({ short: 'v', help: 'Print version information and quit' }),
};

export interface CommandLine {
  readonly globals: ReturnType<typeof parseFlags<typeof globalFlags>>['flags'];
  readonly wantsHelp: boolean;
  /** The verb and all after it. */
  readonly words: readonly string[];
}

export function parseCommandLine(words: readonly string[]): CommandLine {
  try {
    const { flags, args, wantsHelp } = parseFlags(globalFlags, words, { stopAt: 'first-argument' });
    return { globals: flags, words: args, wantsHelp };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(
      `${error.message}\n\nUsage:  skiff [OPTIONS] COMMAND [ARG...]\n\nRun 'skiff --help' for more information`,
    );
  }
}

interface Group {
  readonly name: string;
  readonly title: string;
  readonly table: VerbTable;
  readonly missing: readonly string[];
  readonly footer: readonly string[];
}

const machineGroup: Group = {
  name: 'skiff machine',
  title: 'Manage machines: the Linux computers that containers run in',
  table: machineVerbs,
  missing: missingMachineVerbs,
  footer: [],
};

const rootGroup: Group = {
  name: 'skiff',
  title: 'Run containers on this computer',
  table: verbs,
  missing: missingVerbs,
  footer: [
    '',
    'Machines:',
    ...summaryLines([['machine', machineGroup.title]]),
    '',
    'Global Options:',
    ...flagLines(globalFlags),
  ],
};

/** Runs the verb that the words name. Resolves with the exit code; what fails is thrown. */
export async function runWords(words: readonly string[], context: Context): Promise<number> {
  const [first, ...rest] = words;
  // `skiff help run` is `skiff run --help`.
  if (first === 'help')
    return rest.length === 0 ? showHelp(rootGroup, context) : runWords([...rest, '--help'], context);
  return first === 'machine' ? runVerb(machineGroup, rest, context) : runVerb(rootGroup, words, context);
}

export async function showRootHelp(context: Context): Promise<number> {
  return showHelp(rootGroup, context);
}

async function runVerb(group: Group, [name, ...rest]: readonly string[], context: Context): Promise<number> {
  if (name === undefined || name === '--help' || name === 'help') return showHelp(group, context);
  const entry = Object.hasOwn(group.table, name) ? group.table[name] : undefined;
  if (entry) return (await entry.load()).execute(`${group.name} ${name}`, rest, context);
  const problem = group.missing.includes(name)
    ? `'${group.name} ${name}' is not supported yet`
    : `unknown command: ${group.name} ${name}`;
  throw new UsageError(`skiff: ${problem}\n\nRun '${group.name} --help' for more information`, 1);
}

async function showHelp({ name, title, table, footer }: Group, context: Context): Promise<number> {
  const rows = Object.entries(table).map(([verb, { summary }]) => [verb, summary] as const);
  await writeLines(context.stdout, [
    `Usage:  ${name}${name === 'skiff' ? ' [OPTIONS]' : ''} COMMAND`,
    '',
    title,
    '',
    'Commands:',
    ...summaryLines(rows),
    ...footer,
    '',
    `Run '${name} COMMAND --help' for more information on a command.`,
  ]);
  return 0;
}
