import type { AppInfo, Task } from '../../desktop/contract/app.ts';
import type { Container, ContainerDetails, ContainerKey } from '../../desktop/contract/containers.ts';
import type { DesktopServices } from '../../desktop/contract/contract.ts';
import type { EngineConnection } from '../../desktop/contract/engine.ts';
import { DesktopError } from '../../desktop/contract/errors.ts';
import type { Image, ImageKey, Layer, Pull, TreeFile } from '../../desktop/contract/images.ts';
import type { LogLine } from '../../desktop/contract/logs.ts';
import type { Machine } from '../../desktop/contract/machines.ts';
import type { Forward } from '../../desktop/contract/ports.ts';
import { LiveList } from '../../desktop/services/lists/live-list.ts';
import { splitCommand } from '../../renderer/containers/run-form.ts';
import { Feed } from './fixture-feed.ts';
import { FixtureMachines } from './fixture-machines.ts';
import { containerRow, imageRow, pullRow } from './fixture-rows.ts';

/**
 * The desktop's contract in memory: a world whose machines and containers a test moves by hand, so that a browser test
 * can hold any moment still. It keeps the contract's promises (deltas, errors, idempotence) and runs nothing.
 */
const keyText = ({ machine, id }: ContainerKey): string => `${machine}/${id}`;

type ActionName =
  | 'start'
  | 'stop'
  | 'restart'
  | 'kill'
  | 'remove'
  | 'run'
  | 'runHello'
  | 'pull'
  | 'ensureRunning'
  | 'startMachine'
  | 'stopMachine'
  /** Whatever else is done to a machine. */
  | 'changeMachine';

export class FixtureWorld {
  readonly machines = new LiveList<Machine, string>({ keyOf: ({ name }) => name, keyText: (key) => key });
  readonly engines = new LiveList<EngineConnection, string>({ keyOf: ({ machine }) => machine, keyText: (key) => key });
  readonly containers = new LiveList<Container, ContainerKey>({
    keyOf: ({ machine, id }) => ({ machine, id }),
    keyText,
  });
  readonly images = new LiveList<Image, ImageKey>({ keyOf: ({ machine, id }) => ({ machine, id }), keyText });
  readonly pulls = new LiveList<Pull, string>({ keyOf: ({ id }) => id, keyText: (key) => key });
  /** What `layers` and `files` answer, for every image. */
  layers: readonly Layer[] = [];
  files: (request: {
    readonly path: string;
    readonly layer: number | null;
    readonly view: string;
  }) => readonly TreeFile[] = () => [];
  readonly tasks = new LiveList<Task, string>({ keyOf: ({ id }) => id, keyText: (key) => key });
  readonly forwards = new LiveList<Forward, string>({ keyOf: ({ id }) => id, keyText: (key) => key });
  /** Every change that was asked for, in order: `stop web`. */
  readonly asked: string[] = [];
  /** What the user sees first time: overridden by the tests of other pages. */
  info: AppInfo = {
    version: '0.1.0',
    platform: 'linux',
    arch: 'x64',
    host: 'browser',
    capabilities: { tray: false, nativeDialogs: false },
    defaultMachine: 'default',
  };
  readonly #logs = new Map<string, Feed<LogLine>>();
  readonly #consoles = new Map<string, Feed<string>>();
  readonly #gates = new Map<ActionName, Promise<void>>();
  #lists: 'given' | 'withheld' | DesktopError = 'given';
  readonly machineFacts = new FixtureMachines({
    machines: this.machines,
    done: (words) => this.#done('changeMachine', words),
    console: (machine) => this.console(machine),
  });

  /** Makes the next such action wait until the returned function is called, with an error to fail by or without. */
  hold(action: ActionName): (error?: DesktopError) => void {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // Whoever performs the action is told; until somebody does it is nobody's error.
    promise.catch(() => undefined);
    this.#gates.set(action, promise);
    return (error) => (error ? reject(error) : resolve());
  }

  /** What streams of lists that are opened from now on do: give rows, keep the page waiting, or fail. */
  setLists(behaviour: 'given' | 'withheld' | DesktopError): void {
    this.#lists = behaviour;
  }

  engineReady(machine = 'default'): void {
    this.engines.set({ machine, state: 'ready', engineVersion: '0.1.0', apiVersion: '1.55' });
  }

  log(container: ContainerKey): Feed<LogLine> {
    const feed = this.#logs.get(keyText(container)) ?? new Feed<LogLine>();
    this.#logs.set(keyText(container), feed);
    return feed;
  }

  /** What a machine writes: `default` to its console, `engine default` to its engine's log. */
  console(machine: string): Feed<string> {
    const feed = this.#consoles.get(machine) ?? new Feed<string>();
    this.#consoles.set(machine, feed);
    return feed;
  }

  write(container: ContainerKey, text: string, stream: LogLine['stream'] = 'stdout', time: Date = new Date()): void {
    this.log(container).write({ stream, text, time: time.toISOString(), isPartial: false });
  }

  readonly services: DesktopServices = {
    app: {
      info: async () => this.info,
      tasks: (_input, signal) => this.#watch(this.tasks, signal),
    },
    machines: {
      ...this.machineFacts.services,
      watch: (_input, signal) => this.#watch(this.machines, signal),
      ensureRunning: async ({ name }) => this.#done('ensureRunning', `ensureRunning ${name}`),
      start: async ({ name }) => {
        await this.#done('startMachine', `startMachine ${name}`);
        return this.#setMachine(name, 'running');
      },
      stop: async ({ name }) => {
        await this.#done('stopMachine', `stopMachine ${name}`);
        return this.#setMachine(name, 'stopped');
      },
      kill: async ({ name }) => this.#setMachine(name, 'stopped'),
      remove: async ({ name }) => {
        this.asked.push(`removeMachine ${name}`);
        this.machines.delete(name);
        this.engines.delete(name);
        return {};
      },
      cancel: async ({ name }) => {
        this.asked.push(`cancel ${name}`);
        return {};
      },
    },
    engine: {
      watch: (_input, signal) => this.#watch(this.engines, signal),
      reconnect: async ({ machine }) => {
        this.asked.push(`reconnect ${machine}`);
        return {};
      },
    },
    containers: {
      watch: (_input, signal) => this.#watch(this.containers, signal),
      inspect: async (key) => detailsOf(this.#container(key)),
      start: async (key) =>
        this.#act('start', key, { state: 'running', startedAt: Date.now(), finishedAt: null, exitCode: null }),
      stop: async (key) => this.#act('stop', key, { state: 'exited', finishedAt: Date.now(), exitCode: 143 }),
      restart: async (key) => this.#act('restart', key, { state: 'running', startedAt: Date.now() }),
      kill: async (key) => this.#act('kill', key, { state: 'exited', finishedAt: Date.now(), exitCode: 137 }),
      remove: async (key) => {
        const { name, state } = this.#container(key);
        await this.#done('remove', `remove ${name}`);
        if (state === 'running' && !key.force) throw new DesktopError('conflict', `${name} is running: stop it first.`);
        this.containers.delete(key);
        return {};
      },
      run: async (request) => {
        await this.#done('run', `run ${request.image}`);
        return this.#started(
          containerRow({
            name: request.name ?? 'calm_otter',
            image: request.image,
            machine: request.machine,
            createdAt: Date.now(),
          }),
        );
      },
      runHello: async ({ machine }) => {
        await this.#done('runHello', 'runHello');
        return this.#started(
          containerRow({ name: 'hello', image: 'hello', machine, command: '/hello', createdAt: Date.now() }),
        );
      },
    },
    images: {
      watch: (_input, signal) => this.#watch(this.images, signal),
      pulls: (_input, signal) => this.#watch(this.pulls, signal),
      pull: async ({ machine, image }) => {
        await this.#done('pull', `pull ${image}`);
        const id = `pull-${this.pulls.values().length + 1}`;
        this.pulls.set(pullRow({ id, machine, reference: image }));
        return { id };
      },
      cancelPull: async ({ id }) => {
        const pull = this.pulls.get(id);
        if (pull !== undefined) this.pulls.set({ ...pull, state: 'cancelled' });
        return {};
      },
      remove: async ({ machine, image }) => {
        await this.#done('remove', `remove ${this.#image(machine, image).names[0] ?? image}`);
        this.images.delete({ machine, id: image });
        return {};
      },
      tag: async ({ machine, image, name }) => {
        const found = this.#image(machine, image);
        this.images.set({ ...found, names: [...found.names, name] });
        return {};
      },
      layers: async () => ({
        wastedBytes: this.layers.reduce((sum, { wastedBytes }) => sum + wastedBytes, 0),
        layers: [...this.layers],
      }),
      files: async (request) => ({ files: [...this.files(request)], next: null }),
      flatten: async ({ machine, image, name }) => {
        const flat = imageRow({ names: [name], machine, sizeBytes: this.#image(machine, image).sizeBytes / 2 });
        this.images.set(flat);
        return { id: flat.id, savedBytes: flat.sizeBytes };
      },
    },
    logs: { open: (input, signal) => this.#openLog(input, signal) },
    ports: { watch: (_input, signal) => this.#watch(this.forwards, signal) },
  };

  async *#watch<T, K>(list: LiveList<T, K>, signal: AbortSignal) {
    if (this.#lists instanceof DesktopError) throw this.#lists;
    if (this.#lists === 'withheld')
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    yield* list.watch(signal);
  }

  async *#openLog(
    input: ContainerKey & { readonly tail: number | null; readonly follow: boolean },
    signal: AbortSignal,
  ) {
    this.#container(input);
    for await (const lines of this.log(input).read({ tail: input.tail, follow: input.follow, signal }))
      yield { lines: [...lines] };
  }

  async #done(action: ActionName, words: string): Promise<Record<string, never>> {
    this.asked.push(words);
    const gate = this.#gates.get(action);
    this.#gates.delete(action);
    await gate;
    return {};
  }

  async #act(
    action: 'start' | 'stop' | 'restart' | 'kill',
    key: ContainerKey,
    change: Partial<Container>,
  ): Promise<Record<string, never>> {
    const { name } = this.#container(key);
    await this.#done(action, `${action} ${name}`);
    this.containers.set({ ...this.#container(key), ...change });
    return {};
  }

  #container(key: ContainerKey): Container {
    const container = this.containers.get(key);
    if (container === undefined) throw new DesktopError('no-such-container', `There is no container ${key.id}.`);
    return container;
  }

  #image(machine: string, id: string): Image {
    const image = this.images.get({ machine, id });
    if (image === undefined) throw new DesktopError('no-such-image', `There is no image ${id}.`);
    return image;
  }

  #setMachine(name: string, state: Machine['state']): Record<string, never> {
    const machine = this.machines.get(name);
    if (machine === undefined) throw new DesktopError('no-such-machine', `There is no machine ${name}.`);
    this.machines.set({ ...machine, state });
    if (state === 'running') this.engineReady(name);
    else {
      this.engines.set({ machine: name, state: 'off' });
      for (const container of this.containers.values())
        if (container.machine === name) this.containers.delete(container);
    }
    return {};
  }

  #started(container: Container) {
    this.containers.set(container);
    this.write(container, `Hello from ${container.image}.`);
    return { id: container.id, name: container.name, warnings: [] };
  }
}

function wordsOf(command: string): string[] {
  const words = splitCommand(command);
  if ('problem' in words) throw new Error(`not a command line: ${command}`);
  return words.value;
}

function detailsOf(container: Container): ContainerDetails {
  return {
    container,
    argv: wordsOf(container.command),
    workingDir: '/app',
    user: '',
    isTty: false,
    env: [
      { name: 'PATH', value: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
      { name: 'MODE', value: 'production' },
    ],
    mounts: [{ type: 'volume', source: `${container.name}-data`, destination: '/data', isReadOnly: false }],
    networks: [{ name: 'bridge', ipAddress: '172.17.0.5', gateway: '172.17.0.1', macAddress: '02:42:ac:11:00:05' }],
    restartPolicy: 'unless-stopped',
    restartCount: 0,
    raw: {},
  };
}
