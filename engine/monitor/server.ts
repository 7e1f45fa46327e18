/** The monitor's side of its socket: who is connected, which containers there are, when it is time to end. */
import { createServer, type Server, type Socket } from 'node:net';
import { conflict, invalid, notFound } from '../model/errors.ts';
import { parseContainerId, type ContainerId } from '../model/ids.ts';
import { MonitoredContainer, type ContainerParts } from './container.ts';
import { deleteContainer } from './crun-calls.ts';
import type { ExitRecord, RuntimeProgram, StartRequest } from './monitor.ts';
import { isAlive } from './records.ts';
import {
  encodeLine,
  LineSplitter,
  protocolVersion,
  toWireError,
  toWireExit,
  toWireStarted,
  type Hello,
  type Request,
} from './wire.ts';

export interface MonitorServerOptions {
  readonly build: string;
  readonly parts: Omit<ContainerParts, 'consolePath'>;
  readonly consolePathOf: (id: ContainerId) => string;
  /** Called when there has been no container and no connection for `idleMs`. */
  readonly onIdle: () => void;
  readonly idleMs: number;
}

export class MonitorServer implements AsyncDisposable {
  readonly #options: MonitorServerOptions;
  readonly #server: Server;
  readonly #connections = new Set<Socket>();
  readonly #controls = new Set<Socket>();
  readonly #containers = new Map<ContainerId, MonitoredContainer>();
  /** `crun delete` of ended containers, under way: off the path of their exit, but before their next start. */
  readonly #deletions = new Map<ContainerId, Promise<void>>();
  #idleTimer: NodeJS.Timeout | null = null;

  constructor(options: MonitorServerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#connected(socket));
  }

  async listen(path: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.#checkIdle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    for (const socket of this.#connections) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #connected(socket: Socket): void {
    this.#connections.add(socket);
    this.#checkIdle();
    const lines = new LineSplitter();
    const onData = (bytes: Buffer): void => {
      lines.push(bytes);
      const hello = this.#parse(socket, () => lines.next() as Hello | undefined);
      if (hello === undefined) return;
      socket.off('data', onData);
      this.#greet(socket, hello, lines);
    };
    socket.on('data', onData);
    // Close follows and does all there is to do: the other side has gone.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#connections.delete(socket);
      this.#controls.delete(socket);
      // After the containers' own handlers have seen it.
      setImmediate(() => this.#forgetLonely());
    });
  }

  /** Containers that were announced by clients who are gone, and never started. */
  #forgetLonely(): void {
    for (const [id, container] of this.#containers)
      if (container.state === 'announced' && container.audienceSize === 0) this.#containers.delete(id);
    this.#checkIdle();
  }

  #greet(socket: Socket, hello: Hello, lines: LineSplitter): void {
    const greeting = { protocol: protocolVersion, build: this.#options.build, pid: process.pid };
    if (hello.role === 'control') {
      this.#controls.add(socket);
      socket.write(encodeLine(greeting));
      socket.on('data', (bytes) => {
        lines.push(bytes);
        this.#answerAll(socket, lines);
      });
      this.#answerAll(socket, lines);
      return;
    }
    try {
      const id = parseContainerId(hello.attach.id);
      const container = this.#containers.get(id) ?? this.#announce(id);
      socket.write(encodeLine(greeting));
      container.attach(socket, hello.attach, lines.rest());
    } catch (error) {
      socket.end(encodeLine({ error: toWireError(error) }));
    }
  }

  #answerAll(socket: Socket, lines: LineSplitter): void {
    for (;;) {
      const request = this.#parse(socket, () => lines.next() as Request | undefined);
      if (request === undefined) return;
      void this.#answer(socket, request);
    }
  }

  async #answer(socket: Socket, request: Request): Promise<void> {
    const { seq } = request;
    try {
      const ok = (await this.#perform(request)) ?? null;
      if (socket.writable) socket.write(encodeLine({ seq, ok }));
    } catch (error) {
      if (socket.writable) socket.write(encodeLine({ seq, error: toWireError(error) }));
    }
  }

  async #perform(request: Request): Promise<unknown> {
    switch (request.op) {
      case 'start':
        return await this.#start(request.start);
      case 'signal':
        return this.#running(request.id).signal(request.signal);
      case 'resize':
        return (this.#containers.get(request.id) ?? this.#announce(request.id)).resize(request.size);
      case 'containers':
        return [...this.#containers.values()].flatMap(({ started }) =>
          started === null ? [] : [toWireStarted(started)],
        );
      case 'adopt':
        return await this.#adopt(request.id);
      case 'discard':
        await this.#deletions.get(request.id);
        if (this.#containers.has(request.id)) throw conflict(`container ${request.id} is running`);
        return await deleteContainer(this.#options.parts.children, request.runtime, request.id);
      default:
        throw invalid(`this monitor does not know ${JSON.stringify(request)}`);
    }
  }

  async #start(request: StartRequest): Promise<unknown> {
    const id = parseContainerId(request.id);
    const deletion = this.#deletions.get(id);
    if (deletion !== undefined) await deletion;
    const container = this.#containers.get(id) ?? this.#announce(id);
    if (container.state !== 'announced') throw conflict(`container ${id} is running`);
    if (this.#options.parts.records.readExit(id) !== null)
      throw conflict(`the last exit of container ${id} has not been acknowledged`);
    try {
      const { started, ended } = await container.start(request);
      void this.#awaitEnd(container, request.runtime, ended);
      return toWireStarted(started);
    } catch (error) {
      this.#containers.delete(id);
      this.#checkIdle();
      throw error;
    }
  }

  async #adopt(id: ContainerId): Promise<unknown> {
    const { records } = this.#options.parts;
    const record = records.readRunning(id);
    // Its own monitor, or another one, has been faster.
    if (record === null || isAlive(record.monitor)) return null;
    await this.#discardOldExit(id);
    const container = this.#announce(id);
    const { started, ended } = container.adopt(record);
    void this.#awaitEnd(container, record.runtime, ended);
    return toWireStarted(started);
  }

  /** The monitor that is gone may have died between its two steps: the exit is told, the running record still there. */
  async #discardOldExit(id: ContainerId): Promise<void> {
    const { records } = this.#options.parts;
    const exit = records.readExit(id);
    const running = records.readRunning(id);
    if (exit !== null && running !== null && exit.pid === running.started.pid) {
      records.removeRunning(id);
      throw conflict(`container ${id} has ended`);
    }
  }

  async #awaitEnd(container: MonitoredContainer, runtime: RuntimeProgram, ended: Promise<ExitRecord>): Promise<void> {
    const { id } = container;
    try {
      const record = await ended;
      const line = encodeLine({ event: 'exit', record: toWireExit(record) });
      for (const socket of this.#controls) socket.write(line);
    } catch (error) {
      this.#options.parts.report(`the exit of container ${id} could not be recorded: ${String(error)}`);
    }
    this.#containers.delete(id);
    const deletion = deleteContainer(this.#options.parts.children, runtime, id).catch((error: unknown) => {
      this.#options.parts.report(error instanceof Error ? error.message : String(error));
    });
    this.#deletions.set(id, deletion);
    await deletion;
    this.#deletions.delete(id);
    this.#checkIdle();
  }

  #announce(id: ContainerId): MonitoredContainer {
    const { parts, consolePathOf } = this.#options;
    const container = new MonitoredContainer(id, { ...parts, consolePath: consolePathOf(id) });
    this.#containers.set(id, container);
    return container;
  }

  #running(id: ContainerId): MonitoredContainer {
    const container = this.#containers.get(id);
    if (container === undefined) throw notFound(`container ${id} is not known to this monitor`);
    return container;
  }

  /** Undefined when there is nothing to take; a peer that does not speak the protocol is cut off. */
  #parse<Message>(socket: Socket, next: () => Message | undefined): Message | undefined {
    try {
      return next();
    } catch (error) {
      socket.end(encodeLine({ error: toWireError(error) }));
      return undefined;
    }
  }

  #checkIdle(): void {
    const isIdle = this.#connections.size === 0 && this.#containers.size === 0 && this.#deletions.size === 0;
    if (!isIdle) {
      if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
      this.#idleTimer = null;
      return;
    }
    this.#idleTimer ??= setTimeout(this.#options.onIdle, this.#options.idleMs);
  }
}
