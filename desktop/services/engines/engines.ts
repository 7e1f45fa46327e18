/** One line to the engine of each machine that runs, made and ended as machines come and go. */
import type { ContainerSummary } from '../../../api/containers.ts';
import type { EngineEvent } from '../../../api/events.ts';
import type { EngineClient } from '../../../client/engine-client.ts';
import type { Machine as MachineDocument } from '../../../provisioners/machines.ts';
import type { EngineConnection } from '../../contract/engine.ts';
import { DesktopError } from '../../contract/errors.ts';
import type { Clock } from '../clock.ts';
import { LiveList } from '../lists/live-list.ts';
import { noSuchMachine, type MachineList } from '../machines/machine-list.ts';
import { EngineLine } from './engine-line.ts';

/** What of an engine is handed on. `off`: its machine does not run any more, so nothing is known of its containers. */
interface EngineListener {
  list(machine: string, containers: readonly ContainerSummary[]): void;
  event(machine: string, event: EngineEvent): void;
  off(machine: string): void;
}

export interface EnginesOptions {
  readonly machines: MachineList;
  /** A client of the engine in that machine; its dialer is the machine's local socket. */
  readonly dial: (machine: MachineDocument) => EngineClient;
  readonly clock: Clock;
  readonly listener: EngineListener;
}

interface Connected {
  readonly line: EngineLine;
  readonly client: EngineClient;
  /** A machine that was removed and made anew under its name is another one. */
  readonly identity: string;
  /** How its host agent stood when last looked at. */
  agent: string | null;
}

export class Engines implements AsyncDisposable {
  readonly connections = new LiveList<EngineConnection, string>({
    keyOf: ({ machine }) => machine,
    keyText: (machine) => machine,
  });
  readonly #options: EnginesOptions;
  readonly #connected = new Map<string, Connected>();
  readonly #closing = new Set<Promise<void>>();
  readonly #watching: Disposable;

  constructor(options: EnginesOptions) {
    this.#options = options;
    this.#watching = options.machines.onChange(() => this.#follow());
    this.#follow();
  }

  /** The engine of a machine that runs. Whether it answers just now, the call will show. */
  client(machine: string): EngineClient {
    const connected = this.#connected.get(machine);
    if (connected) return connected.client;
    if (!this.#options.machines.has(machine)) throw noSuchMachine(machine);
    throw new DesktopError('not-running', `The machine ${machine} is not running; start it first.`);
  }

  retry(machine: string): void {
    if (!this.#options.machines.has(machine)) throw noSuchMachine(machine);
    this.#connected.get(machine)?.line.retry();
  }

  /** Resolves when the engine answers and its lists are complete; rejects with `not-running` when its machine does not run, and when the signal fires. */
  async ready(machine: string, signal: AbortSignal): Promise<void> {
    await this.connections.until(() => {
      this.client(machine);
      return this.connections.get(machine)?.state === 'ready' ? true : undefined;
    }, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watching[Symbol.dispose]();
    for (const machine of this.#connected.keys()) this.#disconnect(machine);
    await Promise.all(this.#closing);
  }

  #follow(): void {
    const documents = this.#options.machines.documents();
    const running = new Map(documents.filter(({ state }) => state === 'running').map((one) => [one.name, one]));
    for (const [machine, { identity }] of this.#connected) {
      const document = running.get(machine);
      if (!document || identityOf(document) !== identity) this.#disconnect(machine);
    }
    for (const document of running.values()) this.#connect(document);
    const names = new Set(documents.map(({ name }) => name));
    for (const { machine } of this.connections.values()) if (!names.has(machine)) this.connections.delete(machine);
    for (const name of names) if (!running.has(name)) this.connections.set({ machine: name, state: 'off' });
  }

  #connect(document: MachineDocument): void {
    const { name } = document;
    const before = this.#connected.get(name);
    if (before) {
      const agent = document.agent?.connection ?? null;
      // The host agent has its own connection back: no need to sit out the pause.
      if (agent === 'ready' && before.agent !== 'ready') before.line.retry();
      before.agent = agent;
      return;
    }
    const { dial, clock, listener } = this.#options;
    const client = dial(document);
    const line = new EngineLine({
      machine: name,
      client,
      clock,
      onState: (state) => {
        if (this.#connected.get(name)?.client === client || state.state === 'connecting') this.connections.set(state);
      },
      onList: (containers) => listener.list(name, containers),
      onEvent: (event) => listener.event(name, event),
    });
    const agent = document.agent?.connection ?? null;
    this.#connected.set(name, { line, client, identity: identityOf(document), agent });
  }

  #disconnect(machine: string): void {
    const connected = this.#connected.get(machine);
    if (!connected) return;
    this.#connected.delete(machine);
    this.connections.set({ machine, state: 'off' });
    this.#options.listener.off(machine);
    const closed = connected.line.close().finally(() => this.#closing.delete(closed));
    this.#closing.add(closed);
  }
}

function identityOf({ createdAt, dockerSocket }: MachineDocument): string {
  return `${createdAt} ${dockerSocket}`;
}
