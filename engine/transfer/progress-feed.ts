import type { ProgressMessage } from '../../api/images.ts';

/**
 * Messages of work that goes on elsewhere, read one by one. States of a layer are all kept, in order; of a count ("Downloading",
 * "Extracting") only the newest that was not read yet: a slow reader misses steps, never a state, and memory does not grow with the bytes.
 */
export class ProgressFeed {
  readonly #waiting = new Map<number, ProgressMessage>();
  /** Where the newest message of a layer stands among those that wait. */
  readonly #newest = new Map<string, number>();
  #next = 0;
  #isEnded = false;
  #wake: () => void = () => undefined;

  put(message: ProgressMessage): void {
    const { id } = message;
    const before = id === undefined ? undefined : this.#newest.get(id);
    const earlier = before === undefined ? undefined : this.#waiting.get(before);
    if (before !== undefined && earlier !== undefined && isCount(earlier) && earlier.status === message.status) {
      this.#waiting.set(before, message);
      return;
    }
    const place = this.#next++;
    this.#waiting.set(place, message);
    if (id !== undefined) this.#newest.set(id, place);
    this.#wake();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  /** Ends after `end`, once everything was read. */
  async *read(): AsyncGenerator<ProgressMessage, void, void> {
    for (;;) {
      const [first] = this.#waiting;
      if (first !== undefined) {
        this.#waiting.delete(first[0]);
        yield first[1];
      } else if (this.#isEnded) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/**
 * Runs work that tells what it does, as a stream of what it tells. Ending the iteration early aborts the work and waits for its end;
 * an error of the work comes after all that it had told.
 */
export async function* told(
  work: (tell: (message: ProgressMessage) => void, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<ProgressMessage, void, void> {
  const feed = new ProgressFeed();
  const left = new AbortController();
  const working = work((message) => feed.put(message), AbortSignal.any([signal, left.signal]));
  // Awaited below; an error must not count as unhandled while messages are being read.
  void working.catch(() => undefined).finally(() => feed.end());
  try {
    yield* feed.read();
    await working;
  } finally {
    left.abort(new Error('nobody waits for it any more'));
    await Promise.allSettled([working]);
  }
}

function isCount({ progressDetail }: ProgressMessage): boolean {
  return progressDetail?.current !== undefined;
}
