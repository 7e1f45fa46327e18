import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { MachineError } from '../machines.ts';
import type { SshConnection, SshTarget } from '../ssh/ssh-connection.ts';
import { connectSsh } from '../ssh/ssh-connection.ts';

/** How the link stands; every change is told. */
export type LinkState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'ready'; readonly connection: SshConnection }
  | { readonly kind: 'lost'; readonly error: MachineError };

export interface MachineLinkOptions {
  /** Asked before each try: a machine may come back at another port. Null when the machine has stopped, which ends the link. */
  readonly target: () => Promise<SshTarget | null>;
  readonly onChange: (state: LinkState) => void;
  readonly signal: AbortSignal;
  /** Longest pause between two tries. */
  readonly maxPauseMs?: number;
}

/**
 * The one SSH connection of a host agent, made again whenever it breaks: at once the first time, then with growing pauses.
 * Who needs a channel while it is away waits for it a while instead of failing.
 */
export class MachineLink {
  readonly #options: MachineLinkOptions;
  #state: LinkState = { kind: 'connecting' };
  #waiting: ((connection: SshConnection) => void)[] = [];

  constructor(options: MachineLinkOptions) {
    this.#options = options;
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Runs until the machine has stopped or the signal is aborted. */
  async run(): Promise<void> {
    const { target, signal, maxPauseMs = 5_000 } = this.#options;
    let pauseMs = 0;
    while (!signal.aborted) {
      const goal = await target();
      if (goal === null) return;
      try {
        await using connection = await connectSsh(goal, { signal, deadlineMs: 20_000 });
        pauseMs = 0;
        this.#become({ kind: 'ready', connection });
        for (const resolve of this.#waiting.splice(0)) resolve(connection);
        const ended = Promise.withResolvers<MachineError>();
        const onAbort = (): void => ended.resolve(new MachineError('aborted', 'The host agent is ending'));
        signal.addEventListener('abort', onAbort, { once: true });
        const why = await Promise.race([connection.closed, ended.promise]);
        signal.removeEventListener('abort', onAbort);
        this.#become({ kind: 'lost', error: why });
      } catch (error) {
        if (signal.aborted) return;
        this.#become({ kind: 'lost', error: asMachineError(error) });
        pauseMs = Math.min(Math.max(pauseMs * 2, 250), maxPauseMs);
      }
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    }
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

  #ready(options: { readonly waitMs: number }): Promise<SshConnection> {
    if (this.#state.kind === 'ready' && this.#state.connection.isOpen) return Promise.resolve(this.#state.connection);
    return new Promise((resolve, reject) => {
      const arrive = (connection: SshConnection): void => {
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
