import type { ErrorShape } from '../../desktop/contract/errors.ts';
import { shapeOf } from '../lists/follow-list.ts';
import { withoutAnsi } from './ansi.ts';
import { LogRing, type LogChunk, type LogLine } from './log-ring.ts';

/**
 * One log that is being read: a ring of its last lines, published to the page a few times a second whatever comes in, so
 * that a flood costs the page no more than a trickle.
 */
export type LogStatus =
  | { readonly kind: 'opening' }
  | { readonly kind: 'following' }
  /** There will be no more. */
  | { readonly kind: 'ended' }
  /** Interrupted, and tried again: `error` says why. */
  | { readonly kind: 'lost'; readonly error: ErrorShape }
  | { readonly kind: 'failed'; readonly error: ErrorShape };

export interface LogPage {
  readonly lines: readonly LogLine[];
  /** The oldest lines were just taken away and nothing else changed: the viewer keeps its place from the end. */
  readonly isTrimmed: boolean;
  readonly droppedCount: number;
}

export interface LogSource {
  /** Gives what is there and then what comes; opened anew after an interruption, then from the start of its tail again. */
  readonly open: (signal: AbortSignal) => AsyncIterable<readonly LogChunk[]>;
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly capacity: number;
}

const publishPeriodMs = 60;
const retryMs = 1_000;
/** These get no better by asking again. */
const finalErrors: readonly string[] = ['no-such-container', 'no-such-machine', 'invalid-input', 'unknown-method'];

export class LogFollower {
  readonly #source: LogSource;
  readonly #ring: LogRing;
  readonly #stop = new AbortController();
  #incoming: LogChunk[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #page = $state.raw<LogPage>({ lines: [], isTrimmed: false, droppedCount: 0 });
  #status = $state.raw<LogStatus>({ kind: 'opening' });

  constructor(source: LogSource) {
    this.#source = source;
    this.#ring = new LogRing({ capacity: source.capacity });
    void this.#follow();
  }

  get page(): LogPage {
    return this.#page;
  }

  get status(): LogStatus {
    return this.#status;
  }

  /** Everything that is held, as plain text. */
  text(): string {
    return this.#ring.lines.map((line) => `${withoutAnsi(line.raw)}\n`).join('');
  }

  close(): void {
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      let isFirst = true;
      try {
        for await (const chunks of this.#source.open(signal)) {
          // Only now is what was read before replaced: an interruption leaves it on the screen.
          if (isFirst) this.#begin();
          isFirst = false;
          for (const chunk of chunks) this.#incoming.push(chunk);
          this.#schedule();
        }
        if (!signal.aborted) this.#status = { kind: 'ended' };
        return;
      } catch (error) {
        if (signal.aborted) return;
        const shape = shapeOf(error);
        this.#status = finalErrors.includes(shape.code)
          ? { kind: 'failed', error: shape }
          : { kind: 'lost', error: shape };
        if (this.#status.kind === 'failed') return;
      }
      await this.#source.pause(retryMs, signal);
    }
  }

  #begin(): void {
    this.#ring.clear();
    this.#incoming = [];
    this.#status = { kind: 'following' };
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#publish();
    }, publishPeriodMs);
  }

  #publish(): void {
    // A viewer can follow lines that come or lines that go, not both in one step.
    const isTrimmed = this.#ring.trim() > 0;
    if (!isTrimmed) {
      for (const chunk of this.#incoming) this.#ring.push(chunk);
      this.#incoming = [];
    }
    this.#page = { lines: [...this.#ring.lines], isTrimmed, droppedCount: this.#ring.droppedCount };
    if (isTrimmed || this.#ring.isFull) this.#schedule();
  }
}
