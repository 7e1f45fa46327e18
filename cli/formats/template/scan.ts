import { TemplateSyntaxError } from './template-error.ts';

/** A template's text cut into what is printed as it is and what is between braces. */
export type Part =
  | { readonly kind: 'text'; readonly text: string }
  /** `at` is where `tokens` begin in the whole template. */
  | { readonly kind: 'action'; readonly tokens: readonly Token[] };

export type TokenKind = 'word' | 'field' | 'variable' | 'string' | 'number' | 'space' | 'symbol';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** Place in the whole template. */
  readonly at: number;
}

/** `{{- ` and ` -}}` take the white space before and after away; comments are left out. */
export function scanTemplate(source: string): Part[] {
  const parts: Part[] = [];
  let at = 0;
  let isTrimmed = false;
  const addText = (raw: string): void => {
    const text = isTrimmed ? raw.trimStart() : raw;
    if (text !== '') parts.push({ kind: 'text', text });
  };
  for (;;) {
    const open = source.indexOf('{{', at);
    if (open < 0) break;
    const trimsBefore = /^\{\{-\s/.test(source.slice(open, open + 4));
    const before = source.slice(at, open);
    addText(trimsBefore ? before.trimEnd() : before);
    const start = open + (trimsBefore ? 3 : 2);
    const comment = /^\s*\/\*/.exec(trimsBefore ? source.slice(start) : source.slice(start, start + 2));
    const end = comment ? endOfComment(source, start) : scanAction(source, start, parts);
    isTrimmed = /^\s-\}\}/.test(source.slice(end, end + 4));
    at = end + (isTrimmed ? 4 : 2);
  }
  addText(source.slice(at));
  return parts;
}

function endOfComment(source: string, start: number): number {
  const end = source.indexOf('*/', start);
  if (end < 0) throw new TemplateSyntaxError(source, start, 'unclosed comment');
  if (!/^(\s-)?\}\}/.test(source.slice(end + 2))) {
    throw new TemplateSyntaxError(source, end, 'comment ends before closing delimiter');
  }
  return end + 2;
}

const patterns: readonly (readonly [kind: TokenKind, pattern: RegExp])[] = [
  ['space', /\s+/y],
  ['string', /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y],
  ['number', /[-+]?(?:0[xX][0-9a-fA-F]+|(?:\d[\d_]*)?\.?\d+(?:[eE][-+]?\d+)?)(?![\p{L}\p{N}_])|'(?:[^'\\]|\\.)'/uy],
  ['field', /\.[\p{L}_][\p{L}\p{N}_]*/uy],
  ['variable', /\$[\p{L}\p{N}_]*/uy],
  ['word', /[\p{L}_][\p{L}\p{N}_]*/uy],
  ['symbol', /:=|[=|(),.]/y],
];

/** Adds the action that begins at `start` and gives the place of its `}}` (or ` -}}`). */
function scanAction(source: string, start: number, parts: Part[]): number {
  const tokens: Token[] = [];
  for (let at = start; ;) {
    if (source.startsWith('}}', at) || /^\s-\}\}/.test(source.slice(at, at + 4))) {
      parts.push({ kind: 'action', tokens });
      return at;
    }
    if (at >= source.length) throw new TemplateSyntaxError(source, start, 'unclosed action');
    const token = tokenAt(source, at);
    tokens.push(token);
    at += token.text.length;
  }
}

function tokenAt(source: string, at: number): Token {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    const [text] = pattern.exec(source) ?? [];
    if (text !== undefined) return { kind, text, at };
  }
  const rest = source.slice(at);
  if (rest.startsWith('"')) throw new TemplateSyntaxError(source, at, 'unterminated quoted string');
  if (rest.startsWith('`')) throw new TemplateSyntaxError(source, at, 'unterminated raw quoted string');
  throw new TemplateSyntaxError(source, at, `unexpected ${JSON.stringify(rest.slice(0, 1))} in command`);
}
