/**
 * Go's templates, as `--format` takes them: fields, pipes, variables, `if`, `with`, `range`, all functions of Go's and docker's.
 * Not there: `define`, `template` and `block`. Errors are Go's, with the place, and a suggestion where a name is nearly right.
 */
import { evaluate } from './evaluate.ts';
import { functions, headerFunctions } from './functions.ts';
import { parseNodes } from './parse.ts';

export interface Template {
  /** What is printed for `data`. Throws CommandError. */
  (data: unknown): string;
  /** The line above a table: titles in place of values. */
  header(titles: unknown): string;
}

const names: ReadonlySet<string> = new Set(Object.keys(functions));

/** Throws CommandError saying what is not understood, and where. */
export function parseTemplate(source: string): Template {
  const nodes = parseNodes(source, names);
  return Object.assign((data: unknown) => evaluate(nodes, { source, functions, root: data }), {
    header: (titles: unknown) => evaluate(nodes, { source, functions: headerFunctions, root: titles }),
  });
}

/** For lists: `\t` and `\n` written as such are what they mean. */
export function parseRowTemplate(source: string): Template {
  return parseTemplate(source.replaceAll(/\\([tn])/g, (_, letter: string) => (letter === 't' ? '\t' : '\n')));
}
