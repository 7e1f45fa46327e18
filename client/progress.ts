import type { ProgressMessage } from '../api/images.ts';
import { shapeOf } from './answers.ts';
import { ReportedError } from './errors.ts';
import { jsonStream } from './json-stream.ts';
import type { JsonStream } from './json-stream.ts';
import type { AnswerStream } from './transport.ts';

/** Silence after which a transfer counts as hung: unpacking a large layer on a slow disk says nothing for minutes. */
export const silenceMs = 10 * 60_000;

/** The messages of a long operation; iterating throws ReportedError where the engine says that it failed, after all that came before. */
export function progressOf(answer: AnswerStream): JsonStream<ProgressMessage> {
  const messages = jsonStream(answer, (value) => shapeOf<ProgressMessage>(value, 'progress', {}));
  return {
    async *[Symbol.asyncIterator]() {
      for await (const message of messages) {
        if (message.error !== undefined) throw new ReportedError(message.errorDetail?.message ?? message.error);
        yield message;
      }
    },
    [Symbol.dispose]: () => messages[Symbol.dispose](),
  };
}
