import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { BulkTunnel } from './bulk-tunnel.ts';

export interface KeptTunnelOptions {
  readonly open: (signal: AbortSignal) => Promise<BulkTunnel | null>;
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
  /** It carries what is dialled from now on. */
  readonly onOpen?: () => void;
  /** How long after the connection it is opened. */
  readonly pauseMs?: number;
}

/**
 * The fast way of one host agent, there while its connection is. It comes a moment after that: a second login costs an emulated machine half
 * a second that its engine's start needs more.
 */
export class KeptTunnel implements AsyncDisposable {
  readonly #options: KeptTunnelOptions;
  #current: BulkTunnel | null = null;
  #ending: AbortController | null = null;
  #work: Promise<void> = Promise.resolve();

  constructor(options: KeptTunnelOptions) {
    this.#options = options;
  }

  open(): void {
    const ending = new AbortController();
    this.#ending?.abort();
    this.#ending = ending;
    const signal = AbortSignal.any([this.#options.signal, ending.signal]);
    this.#work = this.#work.then(() => this.#hold(signal));
  }

  close(): void {
    this.#ending?.abort();
    this.#ending = null;
  }

  /** Null where there is no tunnel now: then the connection itself carries it. */
  async dial(signal?: AbortSignal): Promise<Duplex | null> {
    if (this.#current?.isOpen !== true) return null;
    try {
      return await this.#current.dial(signal);
    } catch {
      signal?.throwIfAborted();
      return null;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#work;
  }

  async #hold(signal: AbortSignal): Promise<void> {
    const { open, log, pauseMs = 3_000 } = this.#options;
    try {
      await delay(pauseMs, undefined, { signal });
      await using tunnel = await open(signal);
      if (tunnel === null) return;
      this.#current = tunnel;
      log('the fast way for bulk streams is open');
      this.#options.onOpen?.();
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener('abort', () => resolve(), { once: true });
      });
    } catch (error) {
      if (!signal.aborted) log(`the fast way for bulk streams: ${String(error)}`);
    } finally {
      this.#current = null;
    }
  }
}
