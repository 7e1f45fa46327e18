import type { Readable } from 'node:stream';
import { FrameDecoder, FramingError } from '../api/framing.ts';
import { EngineError, EngineUnreachable, explain, isEndedByCaller } from './errors.ts';

/** A piece of what a container wrote, byte for byte. A container with a terminal has only `stdout`. */
export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr';
  readonly payload: Buffer;
}

/** Output as it comes. Iterate once; leaving the loop or disposing closes the connection. */
export interface OutputStream extends AsyncIterable<OutputChunk>, Disposable {}

export const multiplexedContentType = 'application/vnd.docker.multiplexed-stream';

/**
 * Reads framed or raw output to its end. Throws EngineError for an error that the engine sends in the stream, and
 * EngineUnreachable when the connection is lost; an abort of `signal` ends the iteration without an error, since whoever
 * follows a log ends it so.
 */
export async function* readOutput(
  source: Readable,
  options: { readonly isFramed: boolean; readonly signal: AbortSignal },
): AsyncGenerator<OutputChunk> {
  const decoder = options.isFramed ? new FrameDecoder() : null;
  try {
    for await (const bytes of source as AsyncIterable<Buffer>) {
      if (decoder === null) yield { stream: 'stdout', payload: bytes };
      else yield* framesOf(decoder, bytes);
    }
    if (decoder?.isInsideFrame && !options.signal.aborted) {
      throw new EngineUnreachable('lost', 'the connection to the engine was lost in the middle of the output');
    }
  } catch (error) {
    if (error instanceof FramingError) throw new EngineUnreachable('protocol', error.message, { cause: error });
    if (isEndedByCaller(options.signal)) return;
    throw explain(error, options.signal);
  }
}

function* framesOf(decoder: FrameDecoder, bytes: Buffer): Generator<OutputChunk> {
  for (const { stream, payload } of decoder.push(bytes)) {
    if (stream === 'error') throw new EngineError(500, payload.toString('utf8').trimEnd());
    // Servers echo nothing on stdin; a frame that claims so is output of a sloppy one and belongs to the user.
    yield { stream: stream === 'stderr' ? 'stderr' : 'stdout', payload };
  }
}
