/**
 * A script is a list of steps that are run, one after the other, on dockerd and on skiffd; what each step shows is compared.
 * `@` in words, paths and bodies stands for the topic's prefix (`life-`), so that topics never meet: `@web` is `life-web`.
 * `%registry%` is the address of a registry that both have, `%guarded%` that of one with a password (`registries.ts`).
 */

export type Step =
  /** A command of the real docker CLI. */
  | {
      readonly kind: 'cli';
      readonly words: readonly string[];
      readonly input: string;
      /** Lines come in any order. */
      readonly isUnordered: boolean;
    }
  /** A plain request. */
  | {
      readonly kind: 'api';
      readonly method: string;
      readonly path: string;
      readonly body: unknown;
      readonly headers: Readonly<Record<string, string>>;
    }
  /** Repeats a command until its output matches; shows nothing, but fails when it never does. */
  | { readonly kind: 'until'; readonly words: readonly string[]; readonly matches: RegExp }
  /** What happened since the topic began. */
  | { readonly kind: 'events'; readonly filters: readonly string[] };

export interface Topic {
  /** A word; also the prefix of all names. */
  readonly name: string;
  readonly steps: readonly Step[];
}

export function topic(name: string, ...steps: readonly (Step | readonly Step[])[]): Topic {
  return { name, steps: steps.flat() };
}

/** `docker('run --rm hello echo "a b"')`: words as a shell would split them; double quotes hold words together. */
export function docker(line: string, options: { readonly input?: string; readonly isUnordered?: boolean } = {}): Step {
  return {
    kind: 'cli',
    words: wordsOf(line),
    input: options.input ?? '',
    isUnordered: options.isUnordered ?? false,
  };
}

export function api(
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Step {
  return { kind: 'api', method, path, body, headers };
}

export function until(line: string, matches: RegExp): Step {
  return { kind: 'until', words: wordsOf(line), matches };
}

export function events(...filters: readonly string[]): Step {
  return { kind: 'events', filters };
}

export function stepTitle(step: Step): string {
  switch (step.kind) {
    case 'cli':
      return `docker ${step.words.join(' ')}`;
    case 'api':
      return `${step.method} ${step.path}${step.body === undefined ? '' : ` ${JSON.stringify(step.body)}`}`;
    case 'until':
      return `until docker ${step.words.join(' ')}`;
    case 'events':
      return `events ${step.filters.join(' ')}`;
  }
}

function wordsOf(line: string): readonly string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare ?? '',
  );
}
