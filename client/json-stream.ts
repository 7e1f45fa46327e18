import { JsonLineDecoder } from '../api/json-lines.ts';
import { EngineUnreachable, explain, isEndedByCaller } from './errors.ts';
import type { AnswerStream } from './transport.ts';

/** Objects as they come. Iterate once; leaving the loop or disposing closes the connection. */
export interface JsonStream<T> extends AsyncIterable<T>, Disposable {}

/**
 * Reads an answer of JSON lines to its end; `accept` checks each object, of which it is also given the text. An abort of the caller's signal ends the
 * iteration without an error; a lost connection throws EngineUnreachable.
 */
export function jsonStream<T>(answer: AnswerStream, accept: (value: unknown, text: string) => T): JsonStream<T> {
  return {
    [Symbol.asyncIterator]: () => readObjects(answer, accept),
    [Symbol.dispose]: () => void answer.body.destroy(),
  };
}

async function* readObjects<T>(answer: AnswerStream, accept: (value: unknown, text: string) => T): AsyncGenerator<T> {
  const decoder = new JsonLineDecoder((line) => accept(JSON.parse(line), line));
  const body: AsyncIterable<Buffer> = answer.body;
  try {
    for await (const bytes of body) yield* decoder.push(bytes);
    yield* decoder.end();
  } catch (error) {
    if (isEndedByCaller(answer.signal)) return;
    if (error instanceof SyntaxError) {
      throw new EngineUnreachable('protocol', `the engine sent no JSON: ${error.message}`, { cause: error });
    }
    throw explain(error, answer.signal);
  }
}
