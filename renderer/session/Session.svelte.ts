import { SvelteSet } from 'svelte/reactivity';
import type { AppInfo, Task } from '../../desktop/contract/app.ts';
import type { Container, ContainerKey } from '../../desktop/contract/containers.ts';
import type { DesktopClient } from '../../desktop/contract/contract.ts';
import type { EngineConnection } from '../../desktop/contract/engine.ts';
import { DesktopError } from '../../desktop/contract/errors.ts';
import type { Image, ImageKey, Pull } from '../../desktop/contract/images.ts';
import type { Machine } from '../../desktop/contract/machines.ts';
import type { Forward } from '../../desktop/contract/ports.ts';
import type { ContainerAction } from '../containers/container-actions.ts';
import { containerKeyText } from '../containers/container-table.ts';
import type { ImageAction } from '../images/image-actions.ts';
import { imageKeyText } from '../images/image-table.ts';
import { LiveList } from '../lists/LiveList.svelte.ts';
import type { MachineAction } from '../machines/machine-actions.ts';
import { ActionBook } from './ActionBook.svelte.ts';
import { holdLine, type LineState } from './hold-line.ts';
import type { PageLinks } from './page-link.ts';
import { Pauses } from './pause.ts';

const byName = { keyOfRow: ({ name }: Machine) => name, keyText: (key: string) => key };
const byMachine = { keyOfRow: ({ machine }: EngineConnection) => machine, keyText: (key: string) => key };
const byId = { keyOfRow: ({ id }: { readonly id: string }) => id, keyText: (key: string) => key };

/**
 * Everything that the page knows, live, and the way to ask for things. One for the whole page; `close` ends it. Lists
 * survive the loss of the line: they become stale, and whole again when it is back.
 */
export class Session {
  readonly machines = new LiveList<Machine, string>(byName);
  readonly engines = new LiveList<EngineConnection, string>(byMachine);
  readonly containers = new LiveList<Container, ContainerKey>({
    keyOfRow: containerKeyText,
    keyText: containerKeyText,
  });
  readonly images = new LiveList<Image, ImageKey>({ keyOfRow: imageKeyText, keyText: imageKeyText });
  readonly pulls = new LiveList<Pull, string>(byId);
  /** Ended pulls that were put away. */
  readonly hiddenPulls = new SvelteSet<string>();
  /** Operations on machines whose failure was read and put away, by id. */
  readonly hiddenOperations = new SvelteSet<string>();
  readonly tasks = new LiveList<Task, string>(byId);
  readonly forwards = new LiveList<Forward, string>(byId);
  /** What is being done to containers, by their key text, and what of it failed. */
  readonly containerActions = new ActionBook<ContainerAction>();
  /** The same of images. */
  readonly imageActions = new ActionBook<ImageAction>();
  /** The same of machines, by name (cancelling: see machine-actions.ts). */
  readonly machineActions = new ActionBook<MachineAction>();
  /** Runs of the built-in image, by machine. */
  readonly helloActions = new ActionBook<'hello'>();
  readonly #stop = new AbortController();
  readonly #pauses = new Pauses();
  #client = $state.raw<DesktopClient | null>(null);
  #info = $state.raw<AppInfo | null>(null);
  #line = $state.raw<LineState>({ kind: 'connecting' });
  #waitingForClient = Promise.withResolvers<DesktopClient>();

  constructor(links: PageLinks) {
    const { signal } = this.#stop;
    const { pause } = this.#pauses;
    const now = (): number => Date.now();
    void holdLine({
      open: (stop) => links.open(stop),
      isRefused: (stop) => links.isRefused(stop),
      pause,
      now,
      signal,
      onClient: (client, info) => {
        this.#client = client;
        this.#info = info;
        this.#waitingForClient.resolve(client);
        this.#pauses.wake();
      },
      onState: (state) => {
        this.#line = state;
        if (state.kind === 'open' || this.#client === null) return;
        this.#client = null;
        this.#waitingForClient = Promise.withResolvers();
      },
    });
    const common = { pause, now, signal };
    void this.machines.follow({
      ...common,
      open: this.#stream((client, stop) => client.machines.watch({}, { signal: stop })),
    });
    void this.engines.follow({
      ...common,
      open: this.#stream((client, stop) => client.engine.watch({}, { signal: stop })),
    });
    void this.containers.follow({
      ...common,
      open: this.#stream((client, stop) => client.containers.watch({}, { signal: stop })),
    });
    void this.images.follow({
      ...common,
      open: this.#stream((client, stop) => client.images.watch({}, { signal: stop })),
    });
    void this.pulls.follow({
      ...common,
      open: this.#stream((client, stop) => client.images.pulls({}, { signal: stop })),
    });
    void this.tasks.follow({ ...common, open: this.#stream((client, stop) => client.app.tasks({}, { signal: stop })) });
    void this.forwards.follow({
      ...common,
      open: this.#stream((client, stop) => client.ports.watch({}, { signal: stop })),
    });
  }

  get info(): AppInfo | null {
    return this.#info;
  }

  get line(): LineState {
    return this.#line;
  }

  /** Rejects with `disconnected` while the line is lost: an action that waits for its return would surprise later. */
  get client(): DesktopClient {
    if (this.#client === null)
      throw new DesktopError('disconnected', 'The connection to Skiff is lost. Try again when it is back.');
    return this.#client;
  }

  engineOf(machine: string): EngineConnection | undefined {
    return this.engines.rows.find((engine) => engine.machine === machine);
  }

  /** The machine that actions go to when nothing else is chosen: the default one, else one that works. */
  get target(): string | null {
    const ready = this.engines.rows.filter(({ state }) => state === 'ready').map(({ machine }) => machine);
    const fallback = this.#info?.defaultMachine ?? null;
    return fallback !== null && ready.includes(fallback) ? fallback : (ready[0] ?? fallback);
  }

  /** A stream that waits for the line first. */
  follow<T>(
    open: (client: DesktopClient, signal: AbortSignal) => AsyncIterable<T>,
    signal: AbortSignal,
  ): AsyncIterable<T> {
    return this.#stream(open)(signal);
  }

  /** Waits that end early when the line comes back. */
  pause(ms: number, signal: AbortSignal): Promise<void> {
    return this.#pauses.pause(ms, signal);
  }

  /** Tries again now whatever is waiting for its next try. */
  tryNow(): void {
    this.#pauses.wake();
  }

  close(): void {
    this.#stop.abort();
  }

  #stream<T>(
    open: (client: DesktopClient, signal: AbortSignal) => AsyncIterable<T>,
  ): (signal: AbortSignal) => AsyncIterable<T> {
    const client = (): Promise<DesktopClient> => this.#waitingForClient.promise;
    return async function* (signal) {
      const { promise: aborted, resolve } = Promise.withResolvers<null>();
      signal.addEventListener('abort', () => resolve(null), { once: true });
      const ready = signal.aborted ? null : await Promise.race([client(), aborted]);
      if (ready !== null) yield* open(ready, signal);
    };
  }
}
