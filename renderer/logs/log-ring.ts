import { parseAnsi, plainStyle, type AnsiSpan, type AnsiStyle } from './ansi.ts';

/**
 * The lines of a log that the page keeps. Output arrives in chunks that end anywhere; a line is shown as soon as its
 * first byte is there and grows until its newline comes. The ring forgets its oldest lines in blocks, and counts them:
 * what is not shown any more is said, never silently gone.
 */
export type LogStream = 'stdout' | 'stderr';

export interface LogChunk {
  readonly stream: LogStream;
  /** Newlines end lines; the last line stays open when it has none. */
  readonly text: string;
  /** When the engine took it in, RFC 3339; null when unknown. */
  readonly time: string | null;
}

export interface LogLine {
  /** Counts up from 0 and stays with the line. */
  readonly id: number;
  readonly stream: LogStream;
  readonly time: string | null;
  readonly spans: readonly AnsiSpan[];
  /** As it came, with its control sequences; the text to go on with while the line is open. */
  readonly raw: string;
}

interface OpenLine {
  readonly index: number;
  readonly styleBefore: AnsiStyle;
}

export class LogRing {
  readonly #capacity: number;
  readonly #longestLine: number;
  #lines: LogLine[] = [];
  #firstId = 0;
  #open: Record<LogStream, OpenLine | null> = { stdout: null, stderr: null };
  #style: Record<LogStream, AnsiStyle> = { stdout: plainStyle, stderr: plainStyle };

  /** `capacity`: how many lines are kept at least; up to a quarter more are held between two trims. `longestLine`: characters after which a line without a newline is broken. */
  constructor(options: { readonly capacity: number; readonly longestLine?: number }) {
    this.#capacity = options.capacity;
    this.#longestLine = options.longestLine ?? 16_384;
  }

  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  /** How many lines were forgotten since the log began. */
  get droppedCount(): number {
    return this.#firstId;
  }

  /** Whether the next `trim` will forget lines. */
  get isFull(): boolean {
    return this.#lines.length > this.#capacity * 1.25;
  }

  push(chunk: LogChunk): void {
    const pieces = chunk.text.split('\n');
    const last = pieces.length - 1;
    for (const [index, piece] of pieces.entries()) {
      for (let from = 0; from < piece.length; from += this.#longestLine) {
        this.#append(chunk, piece.slice(from, from + this.#longestLine));
        if (from + this.#longestLine < piece.length) this.#close(chunk.stream);
      }
      if (index < last) {
        if (this.#open[chunk.stream] === null) this.#append(chunk, '');
        this.#close(chunk.stream);
      }
    }
  }

  /**
   * Forgets the oldest lines when there are a quarter more than the capacity; returns how many. Apart from `push`, so
   * that the viewer can correct its scroll position in the same step.
   */
  trim(): number {
    if (!this.isFull) return 0;
    const count = this.#lines.length - this.#capacity;
    this.#lines = this.#lines.slice(count);
    this.#firstId += count;
    for (const stream of ['stdout', 'stderr'] as const) {
      const open = this.#open[stream];
      if (open !== null) this.#open[stream] = open.index < count ? null : { ...open, index: open.index - count };
    }
    return count;
  }

  clear(): void {
    this.#lines = [];
    this.#firstId = 0;
    this.#open = { stdout: null, stderr: null };
    this.#style = { stdout: plainStyle, stderr: plainStyle };
  }

  #append(chunk: LogChunk, piece: string): void {
    const { stream } = chunk;
    const open = this.#open[stream];
    const line = open === null ? undefined : this.#lines[open.index];
    if (open !== null && line !== undefined) {
      const raw = line.raw + piece;
      if (raw.length <= this.#longestLine) {
        const { spans, style } = parseAnsi(raw, open.styleBefore);
        this.#lines[open.index] = { ...line, raw, spans };
        this.#style[stream] = style;
        return;
      }
      this.#close(stream);
    }
    const styleBefore = this.#style[stream];
    const { spans, style } = parseAnsi(piece, styleBefore);
    this.#lines.push({ id: this.#firstId + this.#lines.length, stream, time: chunk.time, spans, raw: piece });
    this.#open[stream] = { index: this.#lines.length - 1, styleBefore };
    this.#style[stream] = style;
  }

  #close(stream: LogStream): void {
    this.#open[stream] = null;
  }
}
