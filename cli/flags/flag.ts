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
  /** Value after one more use. Throws RangeError saying what is wrong with `text`. */
  take(previous: V, text: string): V;
}

export type FlagTable = Readonly<Record<string, Flag<unknown>>>;

export type ValuesOf<F extends FlagTable> = { readonly [K in keyof F]: F[K] extends Flag<infer V> ? V : never };

interface FlagText {
  readonly short?: string;
  readonly help: string;
  readonly placeholder?: string;
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
    take: (_, text) => {
      const value = booleans[text];
      if (value === undefined) throw new RangeError(`strconv.ParseBool: parsing "${text}": invalid syntax`);
      return value;
    },
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
    { short, help, placeholder = 'list' }: FlagText,
    parse: (input: string) => string = (input) => input,
  ): Flag<readonly string[]> => ({
    short: short ?? null,
    placeholder,
    help,
    initial: [],
    take: (previous, text) => [...previous, parse(text)],
  }),
};

function value<V>(
  { short, help, placeholder }: FlagText,
  kind: string,
  parse: (input: string) => V,
): Flag<V | undefined> {
  return {
    short: short ?? null,
    placeholder: placeholder ?? kind,
    help,
    initial: undefined,
    take: (_, text) => parse(text),
  };
}

/** `noTrunc` -> `no-trunc`. */
export function flagName(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
