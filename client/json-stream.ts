import { JsonLineDecoder } from '../api/json-lines.ts';
import { EngineUnreachable, explain, isEndedByCaller } from './errors.ts';
import type { AnswerStream } from './transport.ts';

/** Objects as they come. Iterate once; leaving the loop or disposing closes the connection. */
export interface JsonStream<T> extends AsyncIterable<T>, Disposable {}

/**
 * Reads an answer of JSON lines to its end; `accept` checks each object. An abort of the caller's signal ends the
 * iteration without an error; a lost connection throws EngineUnreachable.
 */
export function jsonStream<T>(answer: AnswerStream, accept: (value: unknown) => T): JsonStream<T> {
  return {
    [Symbol.asyncIterator]: () => readObjects(answer, accept),
    [Symbol.dispose]: () => void answer.body.destroy(),
  };
}

async function* readObjects<T>(answer: AnswerStream, accept: (value: unknown) => T): AsyncGenerator<T> {
  const decoder = new JsonLineDecoder();
  const body: AsyncIterable<Buffer> = answer.body;
  try {
    for await (const bytes of body) yield* decoder.push(bytes).map(accept);
    yield* decoder.end().map(accept);
  } catch (error) {
    if (isEndedByCaller(answer.signal)) return;
    if (error instanceof SyntaxError) {
      throw new EngineUnreachable('protocol', `the engine sent no JSON: ${error.message}`, { cause: error });
    }
    throw explain(error, answer.signal);
  }
}
