/**
 * Streams of JSON objects, one a line (events, progress of pulls and loads). Docker separates them by LF or CRLF and
 * some servers by nothing but a newline inside: a line is parsed when its end has come.
 */
export class JsonLineDecoder<T = unknown> {
  readonly #parse: (line: string) => T;
  #rest = '';
  readonly #text = new TextDecoder('utf-8', { fatal: false });

  /** `parse` makes of a line what is given out. */
  constructor(parse: (line: string) => T) {
    this.#parse = parse;
  }

  /** Values whose lines `chunk` completes. Throws SyntaxError on a line that is not JSON. */
  push(chunk: Uint8Array): T[] {
    const lines = (this.#rest + this.#text.decode(chunk, { stream: true })).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines.filter((line) => line.trim() !== '').map((line) => this.#parse(line));
  }

  /** What stands after the last newline, when the stream ends without one. */
  end(): T[] {
    const rest = this.#rest.trim();
    this.#rest = '';
    return rest === '' ? [] : [this.#parse(rest)];
  }
}
