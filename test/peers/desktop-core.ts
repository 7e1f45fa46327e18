/**
 * The desktop's core with fakes behind it and a page's client in front, over an in-memory link that checks both directions:
 * for tests of the services as a page sees them.
 */
import { EngineClient } from '../../client/engine-client.ts';
import { unixSocketDialer } from '../../client/dial.ts';
import { contract, type DesktopClient } from '../../desktop/contract/contract.ts';
import type { ListUpdate } from '../../desktop/contract/list-updates.ts';
import type { Clock } from '../../desktop/services/clock.ts';
import type { HelloImage } from '../../desktop/services/containers/hello-image.ts';
import { openCore, type Core } from '../../desktop/services/desktop-services.ts';
import { connect } from '../../desktop/wire/connect.ts';
import { memoryLinks } from '../../desktop/wire/memory-link.ts';
import { serve } from '../../desktop/wire/serve.ts';
import type { Machines } from '../../provisioners/machines.ts';
import { startFakeEngine, type FakeEngine } from './fake-engine.ts';
import { FakeMachines } from './fake-machines.ts';

export interface DesktopCore extends DesktopOn {
  readonly engine: FakeEngine;
  readonly machines: FakeMachines;
}

export interface DesktopCoreOptions {
  readonly clock?: Clock;
  readonly helloImage?: HelloImage;
  /** Default: `hello:latest`. */
  readonly images?: readonly string[];
  readonly serialLogFile?: string;
  /** Called before the core is opened. */
  readonly prepare?: (machines: FakeMachines) => void;
}

const testInfo = {
  version: '0.0.0-test',
  platform: 'linux',
  arch: 'x64',
  host: 'browser',
  capabilities: { tray: false, nativeDialogs: false },
  defaultMachine: 'default',
} as const;

/** A core on machines of whatever kind, with a page's client in front. */
export interface DesktopOn extends AsyncDisposable {
  readonly core: Core;
  readonly client: DesktopClient;
  readonly faults: readonly Error[];
}

export function openDesktopOn(options: {
  readonly machines: Machines;
  readonly helloImage?: HelloImage;
  readonly clock?: Clock;
}): DesktopOn {
  const { machines, helloImage = { reference: 'hello', open: null }, clock } = options;
  const faults: Error[] = [];
  const report = (fault: Error): void => void faults.push(fault);
  const core = openCore({
    info: testInfo,
    machines,
    dial: ({ dockerSocket }) => new EngineClient(unixSocketDialer(dockerSocket)),
    helloImage,
    report,
    ...(clock && { clock }),
  });
  const [here, there] = memoryLinks();
  const serving = serve({ contract, implementation: core.services, link: there, report });
  const connection = connect({ contract, link: here, checkOutputs: true });
  return {
    core,
    client: connection.client,
    faults,
    async [Symbol.asyncDispose]() {
      connection.close();
      await serving.done;
      await core[Symbol.asyncDispose]();
    },
  };
}

/** The same on fakes. */
export async function openDesktopCore(options: DesktopCoreOptions = {}): Promise<DesktopCore> {
  const { images, serialLogFile, prepare, ...rest } = options;
  const engine = await startFakeEngine(images === undefined ? {} : { images });
  const machines = new FakeMachines({
    engineSocket: engine.path,
    ...(serialLogFile !== undefined && { serialLogFile }),
  });
  prepare?.(machines);
  const desktop = openDesktopOn({ machines, ...rest });
  return {
    ...desktop,
    engine,
    machines,
    async [Symbol.asyncDispose]() {
      await desktop[Symbol.asyncDispose]();
      await engine[Symbol.asyncDispose]();
    },
  };
}

/** A list as a page holds it: follows the updates, throws where they do not fit together. */
export class FollowedList<T, K> implements AsyncDisposable {
  readonly #rows = new Map<string, T>();
  readonly #keyOf: (row: T) => K;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  readonly #wakes = new Set<() => void>();
  #seq = -1;
  #error: unknown = null;

  constructor(open: (signal: AbortSignal) => AsyncIterable<ListUpdate<T, K>>, keyOf: (row: T) => K) {
    this.#keyOf = keyOf;
    this.#done = this.#follow(open(this.#stop.signal));
  }

  get rows(): T[] {
    return [...this.#rows.values()];
  }

  /** Resolves with the first thing that `find` makes of the rows; rejects after `timeoutMs`, showing them. */
  async until<R>(find: (rows: T[]) => R | undefined | false, timeoutMs = 30_000): Promise<R> {
    const timeout = AbortSignal.timeout(timeoutMs);
    for (;;) {
      if (this.#error) throw this.#error;
      const found = this.#seq >= 0 ? find(this.rows) : undefined;
      if (found !== undefined && found !== false) return found;
      if (timeout.aborted)
        throw new Error(`it did not come to pass; the rows are ${JSON.stringify(this.rows, null, 1)}`);
      await new Promise<void>((resolve) => {
        this.#wakes.add(resolve);
        timeout.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #follow(updates: AsyncIterable<ListUpdate<T, K>>): Promise<void> {
    try {
      for await (const update of updates) {
        if (update.seq !== this.#seq + 1) throw new Error(`update ${update.seq} came after ${this.#seq}`);
        this.#seq = update.seq;
        for (const row of update.kind === 'snapshot' ? update.items : update.upsert) {
          this.#rows.set(JSON.stringify(this.#keyOf(row)), row);
        }
        if (update.kind === 'change') for (const key of update.remove) this.#rows.delete(JSON.stringify(key));
        this.#wake();
      }
    } catch (error) {
      this.#error = error;
      this.#wake();
    }
  }

  #wake(): void {
    const wakes = [...this.#wakes];
    this.#wakes.clear();
    for (const wake of wakes) wake();
  }
}
