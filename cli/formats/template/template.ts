import { CommandError } from '../usage-error.ts';

/**
 * The part of Go's templates that people use with `--format`: text, `{{.Field}}`, `{{.A.B}}`, `{{.}}`, and the functions below, also
 * piped (`{{.Names | upper}}`). What else Go's templates have (`range`, `if`, variables) is refused by name, never printed wrong.
 */
export type Template = (data: unknown) => string;

type Term =
  | { readonly kind: 'path'; readonly names: readonly string[] }
  | { readonly kind: 'literal'; readonly value: string | number }
  | { readonly kind: 'function'; readonly name: string };

const functions: Readonly<Record<string, (args: readonly unknown[]) => unknown>> = {
  json: ([value]) => JSON.stringify(value ?? null),
  prettyjson: ([value]) => JSON.stringify(value ?? null, null, 4),
  upper: ([value]) => print(value).toUpperCase(),
  lower: ([value]) => print(value).toLowerCase(),
  title: ([value]) => print(value).replace(/^./u, (letter) => letter.toUpperCase()),
  println: (values) => `${values.map(print).join(' ')}\n`,
  print: (values) => values.map(print).join(''),
  len: ([value]) => (typeof value === 'object' && value !== null ? Object.keys(value).length : print(value).length),
  join: ([values, separator]) =>
    Array.isArray(values) ? values.map(print).join(print(separator)) : fail('join wants a list'),
  split: ([value, separator]) => print(value).split(print(separator)),
  truncate: ([value, length]) => print(value).slice(0, Number(length)),
  index: ([value, ...keys]) => keys.reduce((current, key) => entryOf(current, print(key)), value),
};

const keywords = [
  'range',
  'if',
  'else',
  'end',
  'with',
  'define',
  'template',
  'block',
  'printf',
  'and',
  'or',
  'not',
  'eq',
  'ne',
  'break',
  'continue',
];

/** Parses a template; `\t` and `\n` written as such are what they mean. Throws CommandError naming what is not understood. */
export function parseTemplate(text: string): Template {
  const source = text.replaceAll(/\\([tn])/g, (_, letter: string) => (letter === 't' ? '\t' : '\n'));
  const parts = source.split(/(\{\{.*?\}\})/s).map((part) => {
    if (!part.startsWith('{{') || !part.endsWith('}}')) {
      if (part.includes('{{'))
        throw new CommandError(`template parsing error: unclosed action in ${JSON.stringify(text)}`);
      return part;
    }
    return parseAction(part.slice(2, -2).replace(/^-\s|\s-$/g, ''), part);
  });
  return (data) => parts.map((part) => (typeof part === 'string' ? part : print(part(data)))).join('');
}

/** The top-level fields that a template names, in order: what a table's header shows. */
export function templateFields(text: string): string[] {
  return [...text.matchAll(/\{\{[^}]*?\.(\w+)[^}]*\}\}/g)].map(([, name]) => name ?? '');
}

function parseAction(text: string, whole: string): (data: unknown) => unknown {
  const stages = splitPipes(text).map((stage) => terms(stage, whole));
  return (data) =>
    stages.reduce<{ readonly value: unknown } | null>((input, stage) => {
      const [first, ...rest] = stage;
      const resolved = rest.map((term) => resolve(term, data, whole));
      if (first?.kind === 'function') {
        return { value: functions[first.name]?.([...resolved, ...(input ? [input.value] : [])]) };
      }
      if (rest.length > 0 || input)
        throw new CommandError(`template parsing error: ${whole}: only a function takes values`);
      return { value: first ? resolve(first, data, whole) : '' };
    }, null)?.value;
}

function splitPipes(text: string): string[] {
  return text.match(/(?:"(?:[^"\\]|\\.)*"|`[^`]*`|[^|"`])+/g) ?? [''];
}

function terms(stage: string, whole: string): Term[] {
  const words = stage.trim().match(/"(?:[^"\\]|\\.)*"|`[^`]*`|[^\s"`]+/g) ?? [];
  if (words.length === 0) throw new CommandError(`template parsing error: missing value in ${whole}`);
  return words.map((word, index): Term => {
    if (/^(\.|(\.[\p{L}_][\p{L}\p{N}_]*)+)$/u.test(word))
      return { kind: 'path', names: word.split('.').filter(Boolean) };
    if (word.startsWith('"')) return { kind: 'literal', value: unquote(word, whole) };
    if (word.startsWith('`')) return { kind: 'literal', value: word.slice(1, -1) };
    if (/^-?\d+$/.test(word)) return { kind: 'literal', value: Number(word) };
    if (index === 0 && Object.hasOwn(functions, word)) return { kind: 'function', name: word };
    if (keywords.includes(word))
      throw new CommandError(`template parsing error: "${word}" in ${whole} is not supported yet`);
    throw new CommandError(`template parsing error: "${word}" in ${whole} is not understood`);
  });
}

function unquote(word: string, whole: string): string {
  try {
    return String(JSON.parse(word));
  } catch (error) {
    throw new CommandError(`template parsing error: ${word} in ${whole} is not a string`, { cause: error });
  }
}

function resolve(term: Term, data: unknown, whole: string): unknown {
  if (term.kind === 'literal') return term.value;
  if (term.kind === 'function')
    throw new CommandError(`template parsing error: "${term.name}" in ${whole} must come first`);
  return term.names.reduce((value, name) => {
    if (typeof value !== 'object' || value === null || !(name in value)) {
      const known =
        typeof value === 'object' && value !== null ? `; there are: ${Object.keys(value).sort().join(', ')}` : '';
      throw new CommandError(`failed to execute template: ${whole}: no field ${name}${known}`);
    }
    return entryOf(value, name);
  }, data);
}

function entryOf(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null) return fail('index wants a list or an object');
  return (value as Readonly<Record<string, unknown>>)[key];
}

/** A value as Go prints it: lists as `[a b]`, objects as `map[a:1 b:2]`, what is not there as `<no value>`. */
function print(value: unknown): string {
  if (value === null || value === undefined) return '<no value>';
  if (Array.isArray(value)) return `[${value.map(print).join(' ')}]`;
  if (typeof value !== 'object') return String(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `map[${entries.map(([key, entry]) => `${key}:${print(entry)}`).join(' ')}]`;
}

function fail(message: string): never {
  throw new CommandError(`failed to execute template: ${message}`);
}
