/**
 * As much of YAML as our own API description is written in: mappings and lists by indentation, flow mappings and lists,
 * plain, quoted and folded (`>-`) scalars. Anything else throws with its line, so that it never is misread.
 */
interface Line {
  readonly number: number;
  readonly indent: number;
  readonly text: string;
}

export function readYaml(source: string): unknown {
  const lines = source
    .split('\n')
    .map((line, index) => ({ number: index + 1, indent: line.length - line.trimStart().length, text: line.trim() }))
    .filter(({ text }) => text !== '' && !text.startsWith('#'));
  const reader = new Reader(lines);
  const value = reader.block(0);
  reader.assertEnd();
  return value;
}

class Reader {
  readonly #lines: Line[];

  constructor(lines: readonly Line[]) {
    this.#lines = [...lines];
  }

  assertEnd(): void {
    const [left] = this.#lines;
    if (left !== undefined) throw new Error(`line ${left.number}: not understood: ${left.text}`);
  }

  block(indent: number): unknown {
    const [first] = this.#lines;
    if (first === undefined || first.indent < indent) return null;
    if (/^[[{]/.test(first.text)) return this.#scalar(this.#next(), indent);
    return first.text.startsWith('- ') ? this.#list(first.indent) : this.#mapping(first.indent);
  }

  #list(indent: number): unknown[] {
    const items: unknown[] = [];
    for (let line = this.#lines[0]; line?.indent === indent && line.text.startsWith('- '); line = this.#lines[0]) {
      // What follows the dash is a line of its own, two columns in.
      this.#lines[0] = { ...line, indent: indent + 2, text: line.text.slice(2) };
      items.push(keyOf(this.#lines[0].text) === null ? this.#scalar(this.#next(), indent) : this.#mapping(indent + 2));
    }
    return items;
  }

  #mapping(indent: number): Record<string, unknown> {
    const mapping: Record<string, unknown> = {};
    for (let line = this.#lines[0]; line?.indent === indent && !line.text.startsWith('- '); line = this.#lines[0]) {
      const key = keyOf(line.text);
      if (key === null) throw new Error(`line ${line.number}: expected a key: ${line.text}`);
      this.#lines.shift();
      const rest = line.text.slice(key.length + 1).trim();
      const name = unquoted(key);
      if (rest === '') mapping[name] = this.block(indent + 1);
      else if (rest === '>-') mapping[name] = this.#folded(indent);
      else mapping[name] = this.#scalar({ ...line, text: rest }, indent);
    }
    return mapping;
  }

  #folded(indent: number): string {
    const parts: string[] = [];
    while ((this.#lines[0]?.indent ?? 0) > indent) parts.push(this.#next().text);
    return parts.join(' ');
  }

  /** A flow collection goes on until its brackets are closed. */
  #scalar(line: Line, indent: number): unknown {
    let { text } = line;
    while (/^[[{]/.test(text) && openBrackets(text) > 0) text += ` ${this.#next().text}`;
    if (!/^[[{]/.test(text)) {
      while ((this.#lines[0]?.indent ?? 0) > indent) text += ` ${this.#next().text}`;
      return plain(text);
    }
    const flow = new Flow(text, line.number);
    return flow.whole();
  }

  #next(): Line {
    const line = this.#lines.shift();
    if (line === undefined) throw new Error('the file ends too early');
    return line;
  }
}

class Flow {
  #rest: string;
  readonly #line: number;

  constructor(text: string, line: number) {
    this.#rest = text;
    this.#line = line;
  }

  whole(): unknown {
    const value = this.#value();
    if (this.#rest.trim() !== '') throw new Error(`line ${this.#line}: not understood: ${this.#rest}`);
    return value;
  }

  #value(): unknown {
    this.#rest = this.#rest.trimStart();
    if (this.#eat('[')) return this.#items(']', () => this.#value());
    if (!this.#eat('{')) return plain(this.#word(/^[^,\]}]+/));
    const pairs = this.#items('}', () => {
      const key = unquoted(this.#word(/^('[^']*'|[^:,{}[\]]+)(?=:)/));
      this.#eat(':');
      return [key, this.#value()] as const;
    });
    return Object.fromEntries(pairs);
  }

  #items<T>(end: ']' | '}', read: () => T): T[] {
    const items: T[] = [];
    while (!this.#eat(end)) {
      items.push(read());
      if (!this.#eat(',') && !this.#rest.trimStart().startsWith(end))
        throw new Error(`line ${this.#line}: expected , or ${end}: ${this.#rest}`);
    }
    return items;
  }

  #word(pattern: RegExp): string {
    this.#rest = this.#rest.trimStart();
    const match = /^'(?:[^']|'')*'/.exec(this.#rest) ?? pattern.exec(this.#rest);
    if (match === null) throw new Error(`line ${this.#line}: not understood: ${this.#rest}`);
    this.#rest = this.#rest.slice(match[0].length);
    return match[0].trim();
  }

  #eat(sign: string): boolean {
    const rest = this.#rest.trimStart();
    if (!rest.startsWith(sign)) return false;
    this.#rest = rest.slice(sign.length);
    return true;
  }
}

/** `key` of `key: value` or `key:`; null for what is none. */
function keyOf(text: string): string | null {
  return /^('(?:[^']|'')*'|[\w/{}$.-]+):(?= |$)/.exec(text)?.[1] ?? null;
}

function openBrackets(text: string): number {
  const bare = text.replaceAll(/'(?:[^']|'')*'/g, '');
  return [...bare].reduce((open, sign) => open + ('[{'.includes(sign) ? 1 : ']}'.includes(sign) ? -1 : 0), 0);
}

function plain(text: string): unknown {
  if (text.startsWith("'")) return unquoted(text);
  if (text === 'true' || text === 'false') return text === 'true';
  if (text === 'null') return null;
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

function unquoted(text: string): string {
  return text.startsWith("'") ? text.slice(1, -1).replaceAll("''", "'") : text;
}
