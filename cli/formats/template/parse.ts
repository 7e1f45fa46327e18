import type { Command, FieldName, Node, Pipe, Term } from './nodes.ts';
import { scanTemplate } from './scan.ts';
import type { Part, Token } from './scan.ts';
import { TemplateSyntaxError } from './template-error.ts';

/** Parses a template. Throws TemplateSyntaxError in Go's words. `functions` are the names that may be called. */
export function parseNodes(source: string, functions: ReadonlySet<string>): readonly Node[] {
  const parser = new Parser(source, functions);
  return parser.all();
}

type End = 'end' | 'else' | 'eof';

class Parser {
  readonly #source: string;
  readonly #functions: ReadonlySet<string>;
  readonly #parts: readonly Part[];
  #next = 0;
  /** Variables in reach, innermost last. */
  readonly #variables: string[] = ['$'];
  #rangeDepth = 0;

  constructor(source: string, functions: ReadonlySet<string>) {
    this.#source = source;
    this.#functions = functions;
    this.#parts = scanTemplate(source);
  }

  all(): readonly Node[] {
    const { nodes, end, at } = this.#list();
    if (end !== 'eof') throw this.#wrong(at, `unexpected {{${end}}}`);
    return nodes;
  }

  /** Nodes until an `end`, an `else` (whose other words are left in `rest`) or the end of the text. */
  #list(): { readonly nodes: readonly Node[]; readonly end: End; readonly at: number; readonly rest: Words } {
    const nodes: Node[] = [];
    for (;;) {
      const part = this.#parts[this.#next++];
      const at = part?.kind === 'action' ? (part.tokens[0]?.at ?? 0) : this.#source.length;
      if (part === undefined) return { nodes, end: 'eof', at, rest: new Words([]) };
      if (part.kind === 'text') {
        nodes.push(part);
        continue;
      }
      const words = new Words(part.tokens);
      const word = words.peek()?.kind === 'word' ? words.peek()?.text : undefined;
      if (word === 'end' || word === 'else') {
        words.take();
        if (word === 'end') this.#ends(words, 'end');
        return { nodes, end: word, at, rest: words };
      }
      nodes.push(this.#action(words, at));
    }
  }

  #action(words: Words, at: number): Node {
    const word = words.peek()?.kind === 'word' ? words.peek()?.text : undefined;
    switch (word) {
      case 'if':
      case 'with':
      case 'range':
        words.take();
        return this.#control(word, words, at);
      case 'break':
      case 'continue':
        words.take();
        this.#ends(words, word);
        if (this.#rangeDepth === 0) throw this.#wrong(at, `{{${word}}} outside {{range}}`);
        return { kind: word };
      case 'define':
      case 'template':
      case 'block':
        throw this.#wrong(at, `{{${word}}} is not supported: a format is one template`);
      default:
        return { kind: 'print', pipe: this.#pipe(words, { of: 'command', at }) };
    }
  }

  #control(kind: 'if' | 'with' | 'range', words: Words, at: number): Node {
    const depth = this.#variables.length;
    const pipe = this.#pipe(words, { of: kind, at });
    this.#rangeDepth += kind === 'range' ? 1 : 0;
    const body = this.#list();
    this.#rangeDepth -= kind === 'range' ? 1 : 0;
    if (body.end === 'eof') throw this.#wrong(body.at, 'unexpected EOF');
    const otherwise = body.end === 'else' ? this.#otherwise(kind, body.rest, body.at) : [];
    this.#variables.length = depth;
    return { kind, pipe, body: body.nodes, otherwise };
  }

  /** What stands after `else`; `else if` is one more node in it, and shares its end. */
  #otherwise(kind: 'if' | 'with' | 'range', words: Words, at: number): readonly Node[] {
    const next = words.peek();
    if (next?.kind === 'word' && next.text === kind && kind !== 'range') {
      words.take();
      return [this.#control(kind, words, at)];
    }
    this.#ends(words, 'else');
    const { nodes, end, at: endAt } = this.#list();
    if (end === 'eof') throw this.#wrong(endAt, 'unexpected EOF');
    if (end === 'else') throw this.#wrong(endAt, 'expected end; found {{else}}');
    return nodes;
  }

  #ends(words: Words, of: string): void {
    const token = words.peek();
    if (token) throw this.#wrong(token.at, `unexpected <${token.text}> in ${of}`);
  }

  #pipe(words: Words, { of, at }: { readonly of: string; readonly at: number }): Pipe {
    const { variables, isAssignment } = this.#declaration(words, of);
    const commands: Command[] = [];
    for (;;) {
      const command = this.#command(words, commands.length + 1);
      if (command === null) throw this.#wrong(at, `missing value for ${of}`);
      commands.push(command);
      if (words.peek()?.text !== '|') break;
      words.take();
    }
    if (!isAssignment) this.#variables.push(...variables);
    return { variables, isAssignment, commands, at };
  }

  #declaration(words: Words, of: string): { readonly variables: readonly string[]; readonly isAssignment: boolean } {
    const [, names, sign] = /^\s*(\$[\p{L}\p{N}_]*(?:\s*,\s*\$[\p{L}\p{N}_]*)?)\s*(:?=)/u.exec(words.text()) ?? [];
    if (names === undefined) return { variables: [], isAssignment: false };
    while (words.peek()?.text !== sign) words.take();
    words.take();
    const variables = names.split(',').map((name) => name.trim());
    if (variables.length > 1 && of !== 'range') throw this.#wrong(words.at(), `too many declarations in ${of}`);
    if (sign === '=') for (const name of variables) this.#checkVariable(name, words.at());
    return { variables, isAssignment: sign === '=' };
  }

  /** Null when there is nothing. */
  #command(words: Words, stage: number): Command | null {
    const terms: Term[] = [];
    const from = words.peek()?.at ?? 0;
    let to = from;
    for (let token = words.peek(); token && token.text !== '|' && token.text !== ')'; token = words.peek()) {
      const term = this.#term(words);
      terms.push(term);
      to = term.at + term.text.length;
    }
    const [first, ...rest] = terms;
    if (first === undefined) return null;
    if (stage > 1 && first.kind === 'literal') {
      throw this.#wrong(from, `non executable command in pipeline stage ${stage}`);
    }
    return { terms: [first, ...rest], text: this.#source.slice(from, to) };
  }

  #term(words: Words): Term {
    const token = words.take();
    const { at } = token;
    switch (token.kind) {
      case 'string':
        return { kind: 'literal', value: this.#unquoted(token), at, text: token.text };
      case 'number':
        return { kind: 'literal', value: numberOf(token.text), at, text: token.text };
      case 'word':
        return this.#named(token);
      case 'field':
        return this.#path('dot', token, [{ name: token.text.slice(1), at }, ...words.fields()]);
      case 'variable':
        this.#checkVariable(token.text, at);
        return this.#path({ variable: token.text }, token, words.fields());
      default:
        break;
    }
    if (token.text === '.') return this.#path('dot', token, []);
    if (token.text !== '(') throw this.#wrong(at, `unexpected ${JSON.stringify(token.text)} in operand`);
    const pipe = this.#pipe(words, { of: 'parenthesized pipeline', at });
    if (words.peek()?.text !== ')') throw this.#wrong(at, 'unclosed left paren');
    const close = words.take();
    return this.#path(pipe, { ...token, text: this.#source.slice(at, close.at + 1) }, words.fields());
  }

  #named({ text, at }: Token): Term {
    if (text === 'true' || text === 'false') return { kind: 'literal', value: text === 'true', at, text };
    if (text === 'nil') return { kind: 'literal', value: null, at, text };
    if (!this.#functions.has(text)) throw this.#wrong(at, `function "${text}" not defined`);
    return { kind: 'function', name: text, at, text };
  }

  #path(from: Extract<Term, { kind: 'path' }>['from'], token: Token, fields: readonly FieldName[]): Term {
    const last = fields.at(-1);
    const end = last === undefined ? token.at + token.text.length : last.at + last.name.length + 1;
    return { kind: 'path', from, fields, at: token.at, text: this.#source.slice(token.at, end) };
  }

  #checkVariable(name: string, at: number): void {
    if (!this.#variables.includes(name)) throw this.#wrong(at, `undefined variable "${name}"`);
  }

  #unquoted({ text, at }: Token): string {
    if (text.startsWith('`')) return text.slice(1, -1);
    try {
      // Go's escapes that JSON does not have.
      return String(JSON.parse(text.replaceAll(/\\(?:x([0-9a-fA-F]{2})|([av'])|(.))/gs, unescape)));
    } catch (error) {
      throw new TemplateSyntaxError(this.#source, at, `invalid syntax in ${text}`, { cause: error });
    }
  }

  #wrong(at: number, message: string): TemplateSyntaxError {
    return new TemplateSyntaxError(this.#source, at, message);
  }
}

const escapes: Readonly<Record<string, string>> = { a: '\\u0007', v: '\\u000b', "'": "'" };

function unescape(whole: string, hex: string | undefined, letter: string | undefined): string {
  if (hex !== undefined) return `\\u00${hex}`;
  return letter === undefined ? whole : (escapes[letter] ?? whole);
}

function numberOf(text: string): number {
  if (!text.startsWith("'")) return Number(text.replaceAll('_', ''));
  return text.slice(1, -1).replace(/^\\/, '').codePointAt(0) ?? 0;
}

/** The words of one action, taken one by one; white space counts only between a value and a field. */
class Words {
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  peek(): Token | undefined {
    while (this.#tokens[this.#next]?.kind === 'space') this.#next++;
    return this.#tokens[this.#next];
  }

  take(): Token {
    const token = this.peek();
    this.#next++;
    return token ?? { kind: 'symbol', text: '', at: 0 };
  }

  at(): number {
    return this.peek()?.at ?? 0;
  }

  text(): string {
    return this.#tokens
      .slice(this.#next)
      .map(({ text }) => text)
      .join('');
  }

  /** Fields that follow at once: `.B.C` of `$a.B.C`. */
  fields(): FieldName[] {
    const fields: FieldName[] = [];
    for (let token = this.#tokens[this.#next]; token?.kind === 'field'; token = this.#tokens[this.#next]) {
      fields.push({ name: token.text.slice(1), at: token.at });
      this.#next++;
    }
    return fields;
  }
}
