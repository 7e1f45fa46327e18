import type { EngineClient } from '../client/engine-client.ts';
import type { Machines } from '../provisioners/machines.ts';
import type { FlagTable, Offer, ValuesOf } from './flags/flag.ts';
import { flagLines } from './flags/help.ts';
import { parseFlags } from './flags/parse-flags.ts';
import { UsageError } from './usage-error.ts';

/** All that a verb touches of the world. */
export interface Context {
  readonly stdin: NodeJS.ReadStream | (NodeJS.ReadableStream & { readonly isTTY?: false });
  readonly stdout: NodeJS.WriteStream | (NodeJS.WritableStream & { readonly isTTY?: false });
  readonly stderr: NodeJS.WriteStream | (NodeJS.WritableStream & { readonly isTTY?: false });
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  readonly workingDir: string;
  readonly nowMs: () => number;
  /** The machine that is meant: `--machine`, else `SKIFF_MACHINE`, else `default`; empty when a host or context is meant. */
  readonly machineName: string;
  /** The context that is meant: `default` for the machine of that name. */
  readonly contextName: string;
  /** Where the engine listens: `unix:///path`, `tcp://host:port`. */
  readonly engineHost: string;
  /** True when the engine was named by `--host` or `SKIFF_HOST` and no machine stands behind it. */
  readonly isHostGiven: boolean;
  /** The engine that is meant; connects with the first call. Owned by who runs the verb. */
  readonly engine: EngineClient;
  /** Loads the machines' code, which is large: only for verbs about machines. */
  machines(): Promise<Machines>;
  /** Calls `listener` for each such signal instead of what it does by itself; dispose to end that. */
  onSignal(signals: readonly NodeJS.Signals[], listener: (signal: NodeJS.Signals) => void): Disposable;
}

interface VerbInput<F extends FlagTable> {
  readonly flags: ValuesOf<F>;
  readonly args: readonly string[];
  readonly context: Context;
}

export interface VerbSpec<F extends FlagTable> {
  /** After the verb's name: `[OPTIONS] CONTAINER [CONTAINER...]`. */
  readonly usage: string;
  readonly summary: string;
  /** More lines of the help. */
  readonly details?: string;
  /** What people type, with what it does: `['-it alpine sh', 'A shell in a new container']`. */
  readonly examples?: readonly (readonly [words: string, what: string])[];
  readonly flags: F;
  /** How many arguments there must be. */
  readonly min?: number;
  readonly max?: number;
  readonly stopAt?: 'first-argument';
  /** What each argument names, for completion; the last one stands for all that follow. */
  readonly offers?: readonly Offer[];
  /** Flags that docker has and this verb does not have yet. */
  readonly missing?: readonly string[];
  /** Resolves with the exit code. */
  run(input: VerbInput<F>): Promise<number>;
}

/** A verb whose flags are its own business: what the program keeps. */
export interface Verb {
  readonly summary: string;
  /** For completion. */
  readonly flags: FlagTable;
  readonly offers: readonly Offer[];
  readonly stopAt: 'first-argument' | 'end';
  /** `name` as it was called: `skiff machine ls`. */
  execute(name: string, words: readonly string[], context: Context): Promise<number>;
}

export function defineVerb<F extends FlagTable>(spec: VerbSpec<F>): Verb {
  return {
    summary: spec.summary,
    flags: spec.flags,
    offers: spec.offers ?? [],
    stopAt: spec.stopAt ?? 'end',
    async execute(name, words, context) {
      const { flags, args, wantsHelp } = parseOrExplain(name, words, spec);
      if (wantsHelp) {
        context.stdout.write(helpOf(name, spec, context.stdout.isTTY ? context.stdout.columns : 80));
        return 0;
      }
      checkCount(name, args.length, spec);
      return await spec.run({ flags, args, context });
    },
  };
}

function parseOrExplain<F extends FlagTable>(
  name: string,
  words: readonly string[],
  spec: VerbSpec<F>,
): ReturnType<typeof parseFlags<F>> {
  try {
    return parseFlags(spec.flags, words, { stopAt: spec.stopAt ?? 'end', missing: spec.missing ?? [] });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(error.message + hintOf(name, spec), error.exitCode);
  }
}

function checkCount(name: string, count: number, spec: VerbSpec<FlagTable>): void {
  const { min = 0, max = Infinity } = spec;
  if (count >= min && count <= max) return;
  const plural = (number: number): string => `${number} argument${number === 1 ? '' : 's'}`;
  const wanted =
    max === 0
      ? 'accepts no arguments'
      : min === max
        ? `requires ${plural(min)}`
        : max === Infinity
          ? `requires at least ${plural(min)}`
          : min === 0
            ? `requires at most ${plural(max)}`
            : `requires at least ${min} and at most ${plural(max)}`;
  throw new UsageError(`skiff: '${name}' ${wanted}${hintOf(name, spec)}`, 1);
}

function hintOf(name: string, spec: VerbSpec<FlagTable>): string {
  return `\n\nUsage:  ${usageOf(name, spec)}\n\nRun '${name} --help' for more information`;
}

function usageOf(name: string, { usage }: VerbSpec<FlagTable>): string {
  return `${name}${usage === '' ? '' : ` ${usage}`}`;
}

function helpOf(name: string, spec: VerbSpec<FlagTable>, width: number): string {
  const { summary, details, flags, examples = [] } = spec;
  const lines = flagLines(flags, width);
  return [
    `Usage:  ${usageOf(name, spec)}`,
    '',
    summary,
    ...(details === undefined ? [] : ['', details]),
    ...(lines.length === 0 ? [] : ['', 'Options:', ...lines]),
    ...(examples.length === 0 ? [] : ['', 'Examples:']),
    ...examples.flatMap(([words, what], index) => [...(index === 0 ? [] : ['']), `  ${what}:`, `    ${name} ${words}`]),
    '',
  ].join('\n');
}
