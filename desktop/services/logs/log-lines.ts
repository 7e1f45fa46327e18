/**
 * Lines out of a container's log as the engine sends it with `timestamps=1`: each record is a time, a space, and text that
 * ends with a newline unless the engine had to cut a long line. With frames a record is a frame; a terminal's output comes
 * as bare bytes, cut anywhere, where only newlines tell.
 */
import { TextDecoder } from 'node:util';
import type { LogLine } from '../../contract/logs.ts';

const stampForm = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) ?/;

type Stream = LogLine['stream'];

/** A line without end is given out in pieces of this size, so that a container cannot make us hold it all. */
const longestHeld = 256 * 1024;

interface Held {
  readonly decoder: TextDecoder;
  text: string;
}

export class LogLines {
  readonly #isFramed: boolean;
  readonly #held: Readonly<Record<Stream, Held>> = { stdout: emptyHeld(), stderr: emptyHeld() };

  constructor(form: 'framed' | 'raw') {
    this.#isFramed = form === 'framed';
  }

  /** The lines that `payload` completes. */
  push(stream: Stream, payload: Uint8Array): LogLine[] {
    const held = this.#held[stream];
    const pieces = (held.text + held.decoder.decode(payload, { stream: true })).split('\n');
    const rest = pieces.pop() ?? '';
    const lines = pieces.map((piece) => lineOf(stream, piece, false));
    const isCut = rest !== '' && (this.#isFramed || rest.length > longestHeld);
    if (isCut) lines.push(lineOf(stream, rest, true));
    held.text = isCut ? '' : rest;
    return lines;
  }

  /** What was written last and has no end. */
  end(): LogLine[] {
    return (['stdout', 'stderr'] as const).flatMap((stream) => {
      const held = this.#held[stream];
      const rest = held.text + held.decoder.decode();
      held.text = '';
      return rest === '' ? [] : [lineOf(stream, rest, true)];
    });
  }
}

function emptyHeld(): Held {
  return { decoder: new TextDecoder(), text: '' };
}

function lineOf(stream: Stream, piece: string, isPartial: boolean): LogLine {
  const stamp = stampForm.exec(piece);
  const text = stamp ? piece.slice(stamp[0].length) : piece;
  return { stream, time: stamp?.[1] ?? null, text: text.endsWith('\r') ? text.slice(0, -1) : text, isPartial };
}
