/** Reads files and variables of the caller; `readFile` throws what the system says. */
export interface EnvironmentSources {
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => string;
}

/**
 * `KEY=value` lines of `--env-file` files and then of `--env`, which win. A bare `KEY` takes the caller's value, and is left out
 * where the caller has none. Throws RangeError.
 */
export function parseEnvironment(
  given: { readonly env: readonly string[]; readonly envFile: readonly string[] },
  sources: EnvironmentSources,
): string[] {
  const fromFiles = given.envFile.flatMap((path) => pairsOfFile(sources.readFile(path), path));
  return [...fromFiles, ...given.env].flatMap((pair) => withValue(pair, sources));
}

/** `key=value` pairs of `--label-file` and `--label`; a bare key has an empty value. */
export function parseLabels(labels: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    labels.map((label) => {
      const at = label.indexOf('=');
      return at < 0 ? [label, ''] : [label.slice(0, at), label.slice(at + 1)];
    }),
  );
}

/** Lines of a file of pairs: without comments, empty lines and a byte order mark. */
export function pairsOfFile(text: string, path: string): string[] {
  return text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line) => line.trimStart())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const name = line.split('=', 1)[0] ?? '';
      if (name === '') throw new RangeError(`invalid environment file ${path}: no variable name on line '${line}'`);
      if (/\s/.test(name))
        throw new RangeError(`invalid environment file ${path}: variable '${name}' contains whitespaces`);
      return line;
    });
}

/** One `--env` value. Throws RangeError when it names nothing. */
export function parseVariable(text: string): string {
  if (text === '' || text.startsWith('=')) throw new RangeError(`invalid environment variable: ${text}`);
  return text;
}

/** One `--label` value. Throws RangeError when it names nothing. */
export function parseLabel(text: string): string {
  if (text.startsWith('=')) throw new RangeError(`invalid label '${text}': empty name`);
  return text;
}

function withValue(pair: string, { variables }: EnvironmentSources): string[] {
  if (pair.includes('=')) return [pair];
  const value = variables[pair];
  return value === undefined ? [] : [`${pair}=${value}`];
}
