import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

export interface EngineDoorOptions {
  /** To the engine's socket, once. */
  readonly dial: (signal: AbortSignal) => Promise<Duplex>;
  /** Somebody answers there: for the first time, or again after nobody did. */
  readonly onOpen: () => void;
  readonly signal: AbortSignal;
  /** How long those who come wait for an engine that starts, or starts again, before they are sent away. */
  readonly waitMs?: number;
  readonly pauseMs?: number;
}

/**
 * The engine's socket, for everybody of one host agent who wants a stream to it. While nobody listens there one tries for all, and the
 * others wait for that: each try costs an emulated machine work that its engine's start needs more.
 */
export class EngineDoor {
  readonly #options: EngineDoorOptions;
  #isOpen = false;
  #trial: Promise<void> | null = null;
  /** The stream with which it was found open, for whoever comes first. */
  #first: Duplex | null = null;

  constructor(options: EngineDoorOptions) {
    this.#options = options;
  }

  async dial(signal?: AbortSignal): Promise<Duplex> {
    const whole = AbortSignal.any([this.#options.signal, ...(signal === undefined ? [] : [signal])]);
    if (this.#isOpen) {
      try {
        return await this.#options.dial(whole);
      } catch {
        whole.throwIfAborted();
        this.#isOpen = false;
      }
    }
    await this.opened(whole);
    const first = this.#first;
    this.#first = null;
    return first ?? (await this.#options.dial(whole));
  }

  /** Resolves when somebody answers there; takes no stream. */
  async opened(signal: AbortSignal): Promise<void> {
    if (this.#isOpen) return;
    this.#trial ??= this.#try().finally(() => (this.#trial = null));
    await until(this.#trial, signal);
  }

  /** What was said of the engine is true no more: the line to it is another. */
  close(): void {
    this.#isOpen = false;
  }

  async #try(): Promise<void> {
    const { dial, onOpen, signal, waitMs = 20_000, pauseMs = 100 } = this.#options;
    const deadline = performance.now() + waitMs;
    for (;;) {
      try {
        this.#first = await dial(signal);
        break;
      } catch (error) {
        if (signal.aborted || performance.now() >= deadline) throw error;
      }
      await delay(pauseMs, undefined, { signal });
    }
    this.#isOpen = true;
    // Those who wait have it by then.
    setImmediate(() => {
      this.#first?.destroy();
      this.#first = null;
    });
    onOpen();
  }
}

/** Gives up waiting, not what is waited for. */
async function until(what: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    await Promise.race([what, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
