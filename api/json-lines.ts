/**
 * Streams of JSON objects, one a line (events, progress of pulls and loads). Docker separates them by LF or CRLF and
 * some servers by nothing but a newline inside: a line is parsed when its end has come.
 */
export class JsonLineDecoder {
  #rest = '';
  readonly #text = new TextDecoder('utf-8', { fatal: false });

  /** Values whose lines `chunk` completes. Throws SyntaxError on a line that is not JSON. */
  push(chunk: Uint8Array): unknown[] {
    const lines = (this.#rest + this.#text.decode(chunk, { stream: true })).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines.filter((line) => line.trim() !== '').map((line) => JSON.parse(line) as unknown);
  }

  /** What stands after the last newline, when the stream ends without one. */
  end(): unknown[] {
    const rest = this.#rest.trim();
    this.#rest = '';
    return rest === '' ? [] : [JSON.parse(rest) as unknown];
  }
}
