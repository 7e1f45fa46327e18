/**
 * JSON as the engine wrote it, laid out anew without being understood: numbers keep all their digits, and escapes and the order
 * of keys stay. So what `inspect` prints is what the engine said.
 */
export function indentJson(text: string, indent = '    ', outer = ''): string {
  let depth = 0;
  const newline = (): string => `\n${outer}${indent.repeat(depth)}`;
  let out = '';
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g)) {
    const isEmpty = out.endsWith('{') || out.endsWith('[');
    if (token === '}' || token === ']') {
      depth--;
      out += isEmpty ? token : newline() + token;
    } else {
      if (isEmpty && depth > 0) out += newline();
      if (token === '{' || token === '[') depth++;
      out += token === ',' ? token + newline() : token === ':' ? ': ' : token;
    }
  }
  return out;
}

/** Without white space between its parts. */
export function compactJson(text: string): string {
  return text.replaceAll(/("(?:[^"\\]|\\.)*")|\s+/g, (_, string: string | undefined) => string ?? '');
}
