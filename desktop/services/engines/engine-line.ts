/**
 * The desktop's line to one engine: first contact, the list of containers once, then its events for as long as they come;
 * and all of that again, with growing pauses, whenever it breaks off. Events are asked for before the list, so that nothing
 * falls between the two; what both tell is told twice and harms nobody.
 */
import type { ContainerSummary } from '../../../api/containers.ts';
import type { EngineEvent } from '../../../api/events.ts';
import type { EngineClient } from '../../../client/engine-client.ts';
import { EngineUnreachable } from '../../../client/errors.ts';
import type { EngineConnection } from '../../contract/engine.ts';
import type { Clock } from '../clock.ts';
import { errorShapeOf } from '../failures.ts';
import { backOffMs } from './back-off.ts';

/** First contact gets this long; a machine under software emulation needs seconds for its first answer. */
const contactTimeoutMs = 20_000;

export interface EngineLineOptions {
  readonly machine: string;
  readonly client: EngineClient;
  readonly clock: Clock;
  readonly onState: (state: EngineConnection) => void;
  /** All containers there are; called before the state becomes `ready`. */
  readonly onList: (list: readonly ContainerSummary[]) => void;
  readonly onEvent: (event: EngineEvent) => void;
}

export class EngineLine {
  readonly #options: EngineLineOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #hurry: AbortController | null = null;
  #failures = 0;
  /** When the trouble began; null while there is none. */
  #troubleSince: number | null = null;
  #hasBeenReady = false;

  constructor(options: EngineLineOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Ends the pause before the next try, if there is one. */
  retry(): void {
    this.#failures = 0;
    this.#hurry?.abort();
  }

  /** Ends the line and its client. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#options.client[Symbol.dispose]();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { machine, clock, onState } = this.#options;
    const { signal } = this.#stop;
    onState({ machine, state: 'connecting', since: clock.now() });
    while (!signal.aborted) {
      const error = await this.#oneConnection().then(
        () => new EngineUnreachable('lost', 'the engine ended its event stream'),
        (cause: unknown) => cause,
      );
      if (signal.aborted) return;
      this.#failures += 1;
      this.#troubleSince ??= clock.now();
      const pauseMs = backOffMs(this.#failures);
      onState({
        machine,
        state: this.#hasBeenReady ? 'stale' : 'failed',
        since: this.#troubleSince,
        retryAt: clock.now() + pauseMs,
        error: errorShapeOf(error),
      });
      const hurry = new AbortController();
      this.#hurry = hurry;
      await clock.sleep(pauseMs, AbortSignal.any([signal, hurry.signal]));
      this.#hurry = null;
    }
  }

  /** Resolves or rejects when the connection is over. */
  async #oneConnection(): Promise<void> {
    const { machine, client, onState, onList, onEvent } = this.#options;
    const call = { signal: this.#stop.signal, timeoutMs: contactTimeoutMs };
    const { Version } = await client.version(call);
    const apiVersion = await client.apiVersion(call);
    using events = await client.events({ filters: { type: ['container', 'image'] } }, call);
    onList(await client.containers.list({ all: true }, call));
    this.#failures = 0;
    this.#troubleSince = null;
    this.#hasBeenReady = true;
    onState({ machine, state: 'ready', engineVersion: Version, apiVersion });
    for await (const event of events) onEvent(event);
  }
}
