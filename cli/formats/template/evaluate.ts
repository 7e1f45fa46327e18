import { nearest } from '../../did-you-mean.ts';
import type { TemplateFunction } from './functions.ts';
import type { Command, FieldName, Node, Pipe, Term } from './nodes.ts';
import { TemplateError } from './template-error.ts';
import { isRecord, isTruthy, isZero, kindOf, printed, sortedEntries, zeroOf } from './values.ts';

export interface Evaluation {
  readonly source: string;
  readonly functions: Readonly<Record<string, TemplateFunction>>;
  readonly root: unknown;
}

/** What a template prints for a value. Throws TemplateError naming the piece that does not fit. */
export function evaluate(nodes: readonly Node[], evaluation: Evaluation): string {
  const scope: Scope = { variables: [{ name: '$', value: evaluation.root }], out: [] };
  new Evaluator(evaluation).run(nodes, evaluation.root, scope);
  return scope.out.join('');
}

interface Scope {
  readonly variables: { readonly name: string; value: unknown }[];
  readonly out: string[];
}

type Outcome = 'next' | 'break' | 'continue';

class Evaluator {
  readonly #evaluation: Evaluation;

  constructor(evaluation: Evaluation) {
    this.#evaluation = evaluation;
  }

  run(nodes: readonly Node[], dot: unknown, scope: Scope): Outcome {
    const depth = scope.variables.length;
    for (const node of nodes) {
      const outcome = this.#node(node, dot, scope);
      if (outcome === 'next') continue;
      scope.variables.length = depth;
      return outcome;
    }
    scope.variables.length = depth;
    return 'next';
  }

  #node(node: Node, dot: unknown, scope: Scope): Outcome {
    switch (node.kind) {
      case 'text':
        scope.out.push(node.text);
        return 'next';
      case 'print': {
        const value = this.#pipe(node.pipe, dot, scope);
        if (node.pipe.variables.length === 0) scope.out.push(printed(value));
        return 'next';
      }
      case 'if':
      case 'with': {
        const depth = scope.variables.length;
        const value = this.#pipe(node.pipe, dot, scope);
        const inner = node.kind === 'with' ? value : dot;
        const outcome = isTruthy(value) ? this.run(node.body, inner, scope) : this.run(node.otherwise, dot, scope);
        scope.variables.length = depth;
        return outcome;
      }
      case 'range':
        return this.#range(node, dot, scope);
      case 'break':
      case 'continue':
        return node.kind;
    }
  }

  #range(node: Extract<Node, { kind: 'range' }>, dot: unknown, scope: Scope): Outcome {
    const depth = scope.variables.length;
    const list = this.#pipe({ ...node.pipe, variables: [] }, dot, scope);
    const entries = this.#entries(list, node.pipe);
    for (const [key, value] of entries) {
      scope.variables.length = depth;
      const [first, second] = node.pipe.variables;
      if (second !== undefined && first !== undefined) this.#set(node.pipe, scope, { name: first, value: key });
      const name = second ?? first;
      if (name !== undefined) this.#set(node.pipe, scope, { name, value });
      if (this.run(node.body, value, scope) === 'break') break;
    }
    scope.variables.length = depth;
    return entries.length === 0 ? this.run(node.otherwise, dot, scope) : 'next';
  }

  #entries(list: unknown, pipe: Pipe): readonly (readonly [key: unknown, value: unknown])[] {
    if (Array.isArray(list)) return list.map((value: unknown, index) => [index, value]);
    if (isRecord(list)) return sortedEntries(list);
    if (list === null || list === undefined || isZero(list)) return [];
    if (typeof list === 'number' && Number.isInteger(list)) {
      return Array.from({ length: Math.max(0, list) }, (_, index) => [index, index]);
    }
    const place = { source: this.#evaluation.source, at: pipe.commands[0]?.terms[0].at ?? pipe.at };
    throw new TemplateError(
      { ...place, text: pipe.commands[0]?.text ?? '' },
      `range can't iterate over ${printed(list)}`,
    );
  }

  #set({ isAssignment }: Pipe, { variables }: Scope, { name, value }: { name: string; value: unknown }): void {
    const known = isAssignment ? variables.findLast((variable) => variable.name === name) : undefined;
    if (known) known.value = value;
    else variables.push({ name, value });
  }

  #pipe(pipe: Pipe, dot: unknown, scope: Scope): unknown {
    let value: unknown;
    let passed: readonly unknown[] = [];
    for (const command of pipe.commands) {
      value = this.#command(command, { dot, scope, passed });
      passed = [value];
    }
    const [name] = pipe.variables;
    if (name !== undefined) this.#set(pipe, scope, { name, value });
    return value;
  }

  #command({ terms, text }: Command, input: Input): unknown {
    const [first, ...rest] = terms;
    if (first.kind === 'function') return this.#call(first, { rest, text, input });
    if (first.kind === 'path') {
      const values = [...rest.map((term) => this.#value(term, input)), ...input.passed];
      return this.#path(first, input, values);
    }
    if (rest.length > 0 || input.passed.length > 0) {
      throw this.#wrong(first, `can't give argument to non-function ${first.text}`);
    }
    if (first.value === null) throw this.#wrong(first, 'nil is not a command');
    return first.value;
  }

  #call(
    term: Extract<Term, { kind: 'function' }>,
    { rest, text, input }: { readonly rest: readonly Term[]; readonly text: string; readonly input: Input },
  ): unknown {
    const found = this.#evaluation.functions[term.name];
    if (found === undefined) throw this.#wrong(term, `function "${term.name}" not defined`);
    const count = rest.length + input.passed.length;
    if (found.count >= 0 && count !== found.count) {
      throw this.#wrong(term, `wrong number of args for ${term.name}: want ${found.count} got ${count}`);
    }
    if (found.count < 0 && count === 0 && term.name !== 'print' && term.name !== 'println') {
      throw this.#wrong(term, `wrong number of args for ${term.name}: want at least 1 got 0`);
    }
    const values: unknown[] = [];
    for (const item of rest) {
      const value = this.#value(item, input);
      values.push(value);
      if ((term.name === 'and' && !isTruthy(value)) || (term.name === 'or' && isTruthy(value))) return value;
    }
    try {
      return found.call([...values, ...input.passed]);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw this.#wrong({ ...term, text }, `error calling ${term.name}: ${error.message}`);
    }
  }

  /** A term as an argument. */
  #value(term: Term, input: Input): unknown {
    if (term.kind === 'literal') return term.value;
    const alone = { ...input, passed: [] };
    return term.kind === 'path'
      ? this.#path(term, alone, [])
      : this.#call(term, { rest: [], text: term.text, input: alone });
  }

  #path(term: Extract<Term, { kind: 'path' }>, input: Input, values: readonly unknown[]): unknown {
    const { from, fields } = term;
    let value: unknown;
    if (from === 'dot') value = input.dot;
    else if ('variable' in from) value = input.scope.variables.findLast(({ name }) => name === from.variable)?.value;
    else value = this.#pipe(from, input.dot, input.scope);
    for (const [index, field] of fields.entries()) {
      const isLast = index === fields.length - 1;
      value = this.#field(term, { value, field, values: isLast ? values : [] });
    }
    if (values.length > 0 && fields.length === 0) {
      throw this.#wrong(term, `can't give argument to non-function ${term.text}`);
    }
    return value;
  }

  #field(
    term: Term,
    { value, field, values }: { value: unknown; field: FieldName; values: readonly unknown[] },
  ): unknown {
    const place = { ...term, at: field.at };
    const { name } = field;
    if (isZero(value) || value === null || value === undefined) {
      throw this.#wrong(place, `nil pointer evaluating ${name}: there is no value before it`);
    }
    if (!isRecord(value)) throw this.#wrong(place, `can't evaluate field ${name} in type ${kindOf(value)}`);
    const key = keyOf(value, name);
    const found = key === undefined ? undefined : value[key];
    if (typeof found === 'function') return this.#method(place, { name, call: found, values });
    if (values.length > 0) throw this.#wrong(place, `${name} has arguments but cannot be invoked as function`);
    if (found !== undefined && found !== null) return found;
    const zero = zeroOf(key ?? name);
    if (zero !== undefined) return zero;
    if (key !== undefined) return null;
    throw this.#wrong(place, `map has no entry for key ${JSON.stringify(name)}${hintFor(name, Object.keys(value))}`);
  }

  // What rows offer with an argument: `{{.Label "key"}}`.
  #method(place: Term, { name, call, values }: { name: string; call: unknown; values: readonly unknown[] }): unknown {
    const [argument] = values;
    if (values.length !== 1) throw this.#wrong(place, `wrong number of args for ${name}: want 1 got ${values.length}`);
    if (typeof argument !== 'string') {
      throw this.#wrong(place, `wrong type for value; expected string; got ${kindOf(argument)}`);
    }
    return (call as (argument: string) => unknown)(argument); // Only rows have functions, and all of theirs take one text.
  }

  #wrong(place: { readonly at: number; readonly text: string }, message: string): TemplateError {
    return new TemplateError({ source: this.#evaluation.source, at: place.at, text: place.text }, message);
  }
}

/** What may have been meant: a name that is nearly the same, else all where they are few. */
function hintFor(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  if (near !== null) return `; did you mean .${near}?`;
  return known.length > 0 && known.length <= 16 ? `; there are: ${[...known].sort().join(', ')}` : '';
}

interface Input {
  readonly dot: unknown;
  readonly scope: Scope;
  /** The value of the stage before. */
  readonly passed: readonly unknown[];
}

/** Go's structs say `ID` and `NanoCPUs` where the wire says `Id` and `NanoCpus`: both are understood. */
function keyOf(value: Readonly<Record<string, unknown>>, name: string): string | undefined {
  if (Object.hasOwn(value, name)) return name;
  const wanted = name.toLowerCase();
  return Object.keys(value).find((key) => key.toLowerCase() === wanted);
}
