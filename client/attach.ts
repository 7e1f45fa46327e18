import type { Writable } from 'node:stream';
import { readOutput } from './output.ts';
import type { OutputChunk } from './output.ts';
import type { Hijacked } from './transport.ts';

/** Both directions of a container's stdio. */
export interface AttachSession extends Disposable {
  /** Goes to the container's stdin; `end()` half-closes, output goes on. */
  readonly stdin: Writable;
  /** Iterate once. Ends when the container's output ends, or when a detach key was typed. */
  readonly output: AsyncIterable<OutputChunk>;
}

export function attachSession(hijacked: Hijacked, options: { readonly isFramed: boolean }): AttachSession {
  const { incoming, outgoing, signal } = hijacked;
  return {
    stdin: outgoing,
    output: readOutput(incoming, { isFramed: options.isFramed, signal }),
    [Symbol.dispose]: () => {
      incoming.destroy();
      outgoing.destroy();
    },
  };
}
