import type { EngineClient } from '../client/engine-client.ts';
import type { Machines } from '../provisioners/machines.ts';
import type { FlagTable, ValuesOf } from './flags/flag.ts';
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
  /** The machine that is meant: `--machine`, else `SKIFF_MACHINE`, else `default`. */
  readonly machineName: string;
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
  readonly flags: F;
  /** How many arguments there must be. */
  readonly min?: number;
  readonly max?: number;
  readonly stopAt?: 'first-argument';
  /** Flags that docker has and this verb does not have yet. */
  readonly missing?: readonly string[];
  /** Resolves with the exit code. */
  run(input: VerbInput<F>): Promise<number>;
}

/** A verb whose flags are its own business: what the program keeps. */
export interface Verb {
  readonly summary: string;
  /** `name` as it was called: `skiff machine ls`. */
  execute(name: string, words: readonly string[], context: Context): Promise<number>;
}

export function defineVerb<F extends FlagTable>(spec: VerbSpec<F>): Verb {
  return {
    summary: spec.summary,
    async execute(name, words, context) {
      const { flags, args, wantsHelp } = parseOrExplain(name, words, spec);
      if (wantsHelp) {
        context.stdout.write(helpOf(name, spec));
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
    const hint = `\n\nUsage:  ${name} ${spec.usage}\n\nRun '${name} --help' for more information`;
    throw new UsageError(error.message + hint, error.exitCode);
  }
}

function checkCount(name: string, count: number, { min = 0, max = Infinity, usage }: VerbSpec<FlagTable>): void {
  if (count >= min && count <= max) return;
  const plural = (number: number): string => `${number} argument${number === 1 ? '' : 's'}`;
  const wanted =
    min === max
      ? `requires ${plural(min)}`
      : count < min
        ? `requires at least ${plural(min)}`
        : `requires at most ${plural(max)}`;
  const verb = max === 0 ? 'accepts no arguments' : wanted;
  throw new UsageError(
    `skiff: '${name}' ${verb}\n\nUsage:  ${name} ${usage}\n\nRun '${name} --help' for more information`,
    1,
  );
}

function helpOf(name: string, { usage, summary, flags }: VerbSpec<FlagTable>): string {
  const lines = flagLines(flags);
  const options = lines.length === 0 ? [] : ['', 'Options:', ...lines];
  return [`Usage:  ${name} ${usage}`, '', summary, ...options, ''].join('\n');
}
