import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Line } from '../line/line.ts';
import { MachineError } from '../machines.ts';

/** How the link stands; every change is told. */
export type LinkState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'ready'; readonly connection: Line }
  | { readonly kind: 'lost'; readonly error: MachineError };

export interface MachineLinkOptions {
  /** Called for each try: a machine may come back at another port. Null when the machine has stopped, which ends the link. */
  readonly open: (options: { readonly signal: AbortSignal; readonly deadlineMs: number }) => Promise<Line | null>;
  readonly onChange: (state: LinkState) => void;
  readonly signal: AbortSignal;
  /** Longest pause between two tries. */
  readonly maxPauseMs?: number;
}

/**
 * The one line (an SSH connection, mostly) of a host agent, made again whenever it breaks: at once the first time, then with growing pauses.
 * Who needs a channel while it is away waits for it a while instead of failing.
 */
export class MachineLink {
  readonly #options: MachineLinkOptions;
  #state: LinkState = { kind: 'connecting' };
  #waiting: ((connection: Line) => void)[] = [];
  /** Ends the connection of now, or the pause before the next try. */
  #interrupt: (why: MachineError) => void = () => undefined;

  constructor(options: MachineLinkOptions) {
    this.#options = options;
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Runs until the machine has stopped or the signal is aborted. */
  async run(): Promise<void> {
    const { open, signal, maxPauseMs = 5_000 } = this.#options;
    let pauseMs = 0;
    while (!signal.aborted) {
      try {
        await using connection = await open({ signal, deadlineMs: 20_000 });
        if (connection === null) return;
        pauseMs = 0;
        this.#become({ kind: 'ready', connection });
        for (const resolve of this.#waiting.splice(0)) resolve(connection);
        const why = await Promise.race([connection.closed, this.#interruption()]);
        this.#become({ kind: 'lost', error: why });
      } catch (error) {
        if (signal.aborted) return;
        this.#become({ kind: 'lost', error: asMachineError(error) });
        pauseMs = Math.min(Math.max(pauseMs * 2, 250), maxPauseMs);
      }
      const pause = new AbortController();
      void this.#interruption().then(() => pause.abort());
      await delay(pauseMs, undefined, { signal: pause.signal }).catch(() => undefined);
    }
  }

  /**
   * Has the connection prove that it still leads to the machine: `ask` gets an answer over it, whatever that is, or it is ended and made
   * again. Where it is away already, the next try comes at once. For moments after which connections are dead without knowing it.
   */
  async prove(ask: (connection: Line, signal: AbortSignal) => Promise<unknown>, timeoutMs = 10_000): Promise<void> {
    const why = new MachineError('ssh-failed', `The machine did not answer within ${timeoutMs / 1000} s`);
    if (this.#state.kind !== 'ready') {
      this.#interrupt(why);
      return;
    }
    const { connection } = this.#state;
    const timeout = AbortSignal.any([AbortSignal.timeout(timeoutMs), this.#options.signal]);
    await ask(connection, timeout).catch(() => undefined);
    if (timeout.aborted && this.#state.kind === 'ready' && this.#state.connection === connection) this.#interrupt(why);
  }

  /** Resolves when somebody interrupts, or when the link is to end. */
  #interruption(): Promise<MachineError> {
    const { signal } = this.#options;
    const { promise, resolve } = Promise.withResolvers<MachineError>();
    const onAbort = (): void => resolve(new MachineError('aborted', 'The host agent is ending'));
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    this.#interrupt = resolve;
    return promise.finally(() => signal.removeEventListener('abort', onAbort));
  }

  /** A stream to a socket of the machine; waits up to `waitMs` for the link. */
  async dialUnix(path: string, options: { readonly waitMs: number; readonly signal?: AbortSignal }): Promise<Duplex> {
    return (await this.#ready(options)).dialUnix(path, options.signal);
  }

  async dialTcp(
    address: { readonly host: string; readonly port: number },
    options: { readonly waitMs: number; readonly signal?: AbortSignal },
  ): Promise<Duplex> {
    return (await this.#ready(options)).dialTcp(address, options.signal);
  }

  #ready(options: { readonly waitMs: number }): Promise<Line> {
    if (this.#state.kind === 'ready' && this.#state.connection.isOpen) return Promise.resolve(this.#state.connection);
    return new Promise((resolve, reject) => {
      const arrive = (connection: Line): void => {
        clearTimeout(timer);
        resolve(connection);
      };
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((other) => other !== arrive);
        const why = this.#state.kind === 'lost' ? this.#state.error.message : 'it is still being made';
        reject(new MachineError('ssh-failed', `There is no connection to the machine: ${why}`));
      }, options.waitMs);
      this.#waiting.push(arrive);
    });
  }

  #become(state: LinkState): void {
    this.#state = state;
    this.#options.onChange(state);
  }
}

function asMachineError(error: unknown): MachineError {
  if (error instanceof MachineError) return error;
  return new MachineError('ssh-failed', error instanceof Error ? error.message : String(error), { cause: error });
}
