/**
 * Flags of a verb as a table: `{ noTrunc: flag.switch({ help: '…' }) }` is `--no-trunc`, and its value is typed by it. The grammar
 * is that of docker's command line (spf13/pflag), which scripts rely on: `-it`, `-p8080:80`, `-p=8080:80`, `--rm=false`, and where a
 * verb says so everything after the first argument belongs to the container. That, its words for mistakes, and 15 ms at each start
 * are why this is not a library.
 */
export interface Flag<V> {
  readonly short: string | null;
  /** What stands for the value in the help; null for a switch. */
  readonly placeholder: string | null;
  readonly help: string;
  readonly initial: V;
  /** Shown as `(default …)`. */
  readonly standard?: string | undefined;
  /** An old name that still works and is not told about. */
  readonly isHidden?: boolean;
  /** What a shell may offer as its value. */
  readonly offers?: Offer | undefined;
  /** Value after one more use. Throws RangeError saying what is wrong with `text`. */
  take(previous: V, text: string): V;
}

/** What a word of the command line names: things of the engine and of this computer, or one of a few words. */
export type Offer =
  | 'container' | 'running-container' | 'stopped-container' | 'image' | 'network' | 'volume' | 'context' | 'machine' | 'registry' | 'snapshot' | 'file'
  | 'nothing' | readonly string[]; // prettier-ignore

export type FlagTable = Readonly<Record<string, Flag<unknown>>>;

export type ValuesOf<F extends FlagTable> = { readonly [K in keyof F]: F[K] extends Flag<infer V> ? V : never };

interface FlagText {
  readonly short?: string;
  readonly help: string;
  readonly placeholder?: string;
  readonly standard?: string;
  readonly offers?: Offer;
}

const booleans: Readonly<Record<string, boolean>> = {
  1: true, t: true, T: true, true: true, TRUE: true, True: true,
  0: false, f: false, F: false, false: false, FALSE: false, False: false,
}; // prettier-ignore

export const flag = {
  /** True when it stands alone; `--x=false` takes it back. */
  switch: ({ short, help, initial = false }: FlagText & { readonly initial?: boolean }): Flag<boolean> => ({
    short: short ?? null,
    placeholder: null,
    help,
    initial,
    standard: initial ? 'true' : undefined,
    take: (_, text) => parseBoolean(text),
  }),

  /** A switch that tells "not given" from false. */
  choice: ({ short, help, standard }: FlagText): Flag<boolean | undefined> => ({
    short: short ?? null,
    placeholder: null,
    help,
    initial: undefined,
    standard,
    take: (_, text) => parseBoolean(text),
  }),

  /** The last use counts; undefined when there is none. */
  text: (text: FlagText): Flag<string | undefined> => value(text, 'string', (input) => input),

  integer: (text: FlagText): Flag<number | undefined> =>
    value(text, 'int', (input) => {
      if (!/^[-+]?\d{1,15}$/.test(input)) throw new RangeError(`strconv.ParseInt: parsing "${input}": invalid syntax`);
      return Number(input);
    }),

  /** Any parser of one value. */
  value,

  /** Every use adds one, as `parse` makes it. */
  list: (
    { short, help, placeholder = 'list', offers }: FlagText,
    parse: (input: string) => string = (input) => input,
  ): Flag<readonly string[]> => ({
    short: short ?? null,
    placeholder,
    help,
    initial: [],
    offers,
    take: (previous, text) => [...previous, parse(text)],
  }),

  /** Every use adds what `parse` makes of it. */
  listOf: <V>(
    { short, help, placeholder = 'list', offers }: FlagText,
    parse: (input: string) => V,
  ): Flag<readonly V[]> => ({
    short: short ?? null,
    placeholder,
    help,
    initial: [],
    offers,
    take: (previous, text) => [...previous, parse(text)],
  }),

  /** `--opt key=value`, as often as wanted; the last one of a key counts. */
  map: ({ short, help, placeholder = 'map' }: FlagText): Flag<Readonly<Record<string, string>>> => ({
    short: short ?? null,
    placeholder,
    help,
    initial: {},
    take: (previous, text) => {
      const at = text.indexOf('=');
      return { ...previous, ...(at < 0 ? { [text]: '' } : { [text.slice(0, at)]: text.slice(at + 1) }) };
    },
  }),

  /** Words by commas, or by several uses. */
  words: ({ short, help, placeholder = 'strings', offers }: FlagText): Flag<readonly string[]> => ({
    short: short ?? null,
    placeholder,
    help,
    initial: [],
    offers,
    take: (previous, text) => [...previous, ...text.split(',')],
  }),

  /** An old name. */
  hidden: <V>(of: Flag<V>): Flag<V> => ({ ...of, isHidden: true }),
};

function value<V>(
  { short, help, placeholder, standard, offers }: FlagText,
  kind: string,
  parse: (input: string) => V,
): Flag<V | undefined> {
  return {
    short: short ?? null,
    placeholder: placeholder ?? kind,
    help,
    initial: undefined,
    standard,
    offers,
    take: (_, text) => parse(text),
  };
}

function parseBoolean(text: string): boolean {
  const found = booleans[text];
  if (found === undefined) throw new RangeError(`strconv.ParseBool: parsing "${text}": invalid syntax`);
  return found;
}

/** `noTrunc` -> `no-trunc`; `cpuRtPeriod` -> `cpu-rt-period`. */
export function flagName(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
