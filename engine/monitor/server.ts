/** The monitor's side of its socket: who is connected, which containers there are, when it is time to end. */
import { createServer, type Server, type Socket } from 'node:net';
import { IdleEnd } from '../kernel/idle-end.ts';
import { conflict, invalid, notFound } from '../model/errors.ts';
import { parseContainerId, parseExecId, type ContainerId, type ExecId } from '../model/ids.ts';
import { formatInstant } from '../model/time.ts';
import { MonitoredContainer, type ContainerParts } from './container.ts';
import { deleteContainer } from './crun-calls.ts';
import { removeEnded } from './ended-container.ts';
import { MonitoredExec } from './exec.ts';
import type { ExecExit, ExecRequest, ExitRecord, ProcessId, RuntimeProgram, StartRequest } from './monitor.ts';
import { isAlive } from './records.ts';
import { Streams } from './streams.ts';
import {
  encodeLine,
  LineSplitter,
  protocolVersion,
  protocolWithExec,
  toWireError,
  toWireExecExit,
  toWireExit,
  toWireKnownExec,
  toWireStarted,
  type Hello,
  type Request,
} from './wire.ts';

export interface MonitorServerOptions {
  readonly build: string;
  readonly parts: ContainerParts;
  readonly consolePathOf: (id: ProcessId) => string;
  /** Called when there has been no container and no connection for `idleMs`. */
  readonly onIdle: () => void;
  readonly idleMs: number;
}

/** Shorter than those who ask wait for their answer. */
const startsTimeoutMs = 8_000;

export class MonitorServer implements AsyncDisposable {
  readonly #options: MonitorServerOptions;
  readonly #server: Server;
  readonly #connections = new Set<Socket>();
  /** Each with the protocol that its skiffd speaks. */
  readonly #controls = new Map<Socket, number>();
  /** Of all that is announced or runs, by whatever id. */
  readonly #streams = new Map<ProcessId, Streams>();
  readonly #containers = new Map<ContainerId, MonitoredContainer>();
  /** Those that have ended stay until they are forgotten. */
  readonly #execs = new Map<ExecId, MonitoredExec>();
  /** `crun delete` of ended containers, under way: off the path of their exit, but before their next start. */
  readonly #deletions = new Map<ContainerId, Promise<void>>();
  readonly #starting = new Set<Promise<unknown>>();
  readonly #idleEnd: IdleEnd;

  constructor(options: MonitorServerOptions) {
    this.#options = options;
    this.#idleEnd = new IdleEnd({ idleMs: options.idleMs, end: options.onIdle });
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
    this.#idleEnd[Symbol.dispose]();
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

  /** What was announced by clients who are gone, and never started. */
  #forgetLonely(): void {
    for (const [id, streams] of this.#streams) if (streams.isLonely) this.#streams.delete(id);
    this.#checkIdle();
  }

  #greet(socket: Socket, hello: Hello, lines: LineSplitter): void {
    const greeting = { protocol: protocolVersion, build: this.#options.build, pid: process.pid };
    if (hello.role === 'control') {
      this.#controls.set(socket, hello.protocol);
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
      const streams = this.#announce(id);
      const loggedUntil = this.#containers.get(id)?.loggedUntil ?? this.#options.parts.now();
      socket.write(encodeLine({ ...greeting, loggedUntil: formatInstant(loggedUntil) }));
      streams.attach(socket, hello.attach, lines.rest());
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
        if (this.#announce(request.id).resize(request.size)) return null;
        throw conflict(`container ${request.id} has no terminal`);
      case 'exec':
        return await this.#exec(request.exec);
      case 'execs':
        return [...this.#execs.values()].flatMap(({ known }) => (known === null ? [] : [toWireKnownExec(known)]));
      case 'forget-exec':
        if (this.#execs.get(request.id)?.isRunning !== true) {
          this.#execs.delete(request.id);
          this.#streams.delete(request.id);
        }
        return null;
      case 'containers':
        await this.#startsSettled();
        return [...this.#containers.values()].flatMap(({ started }) =>
          started === null ? [] : [toWireStarted(started)],
        );
      case 'adopt':
        return await this.#adopt(request.id);
      case 'discard':
        await this.#deletions.get(request.id);
        if (this.#containers.has(request.id)) throw conflict(`container ${request.id} is running`);
        return await deleteContainer(this.#options.parts.crun, request.runtime, request.id);
      default:
        throw invalid(`this monitor does not know ${JSON.stringify(request)}`);
    }
  }

  async #start(request: StartRequest): Promise<unknown> {
    const id = parseContainerId(request.id);
    const deletion = this.#deletions.get(id);
    if (deletion !== undefined) await deletion;
    if (this.#containers.has(id)) throw conflict(`container ${id} is running`);
    if (this.#options.parts.records.readExit(id) !== null)
      throw conflict(`the last exit of container ${id} has not been acknowledged`);
    this.#options.parts.records.fillReserve();
    const container = this.#make(id);
    const starting = container.start(request);
    this.#starting.add(starting);
    try {
      const { started, ended } = await starting;
      void this.#awaitEnd(container, request.runtime, ended);
      return toWireStarted(started);
    } catch (error) {
      this.#forget(id);
      throw error;
    } finally {
      this.#starting.delete(starting);
    }
  }

  /** Who asks what runs may be a skiffd that died in the middle of a start: what is still being started belongs in the answer. */
  async #startsSettled(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, startsTimeoutMs);
    });
    await Promise.race([Promise.allSettled(this.#starting), late]);
    clearTimeout(timer);
  }

  async #exec(request: ExecRequest): Promise<unknown> {
    const id = parseExecId(request.id);
    if (this.#execs.has(id)) throw conflict(`exec ${id} has been started already`);
    const streams = this.#announce(id);
    const exec = new MonitoredExec(request, this.#options.parts, streams);
    this.#execs.set(id, exec);
    try {
      const { started, ended } = await exec.start();
      void this.#awaitExecEnd(id, streams, ended);
      return toWireKnownExec({ started, detail: '', exit: null });
    } catch (error) {
      this.#execs.delete(id);
      this.#streams.delete(id);
      this.#checkIdle();
      throw error;
    }
  }

  /** Its end is told before its output ends: whoever sees the end of the output may ask for the exit code. */
  async #awaitExecEnd(id: ExecId, streams: Streams, ended: Promise<ExecExit>): Promise<void> {
    const line = encodeLine({ event: 'exec-exit', exit: toWireExecExit(await ended) });
    for (const [socket, protocol] of this.#controls) if (protocol >= protocolWithExec) socket.write(line);
    streams.end();
    this.#streams.delete(id);
    this.#checkIdle();
  }

  async #adopt(id: ContainerId): Promise<unknown> {
    const { records } = this.#options.parts;
    const record = records.readRunning(id);
    // Its own monitor, or another one, has been faster.
    if (record === null || isAlive(record.monitor)) return null;
    await this.#discardOldExit(id);
    const container = this.#make(id);
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
      for (const socket of this.#controls.keys()) socket.write(line);
    } catch (error) {
      this.#options.parts.report(`the exit of container ${id} could not be recorded: ${String(error)}`);
    }
    this.#containers.delete(id);
    this.#streams.delete(id);
    const deletion = this.#removeEnded(id, runtime).catch((error: unknown) => {
      this.#options.parts.report(error instanceof Error ? error.message : String(error));
    });
    this.#deletions.set(id, deletion);
    await deletion;
    this.#deletions.delete(id);
    this.#checkIdle();
  }

  async #removeEnded(id: ContainerId, runtime: RuntimeProgram): Promise<void> {
    if (removeEnded({ stateFolder: runtime.stateFolder, id })) return;
    await deleteContainer(this.#options.parts.crun, runtime, id);
  }

  #announce(id: ProcessId): Streams {
    const known = this.#streams.get(id);
    if (known !== undefined) return known;
    const streams = new Streams(this.#options.consolePathOf(id));
    this.#streams.set(id, streams);
    return streams;
  }

  #make(id: ContainerId): MonitoredContainer {
    const container = new MonitoredContainer(id, this.#options.parts, this.#announce(id));
    this.#containers.set(id, container);
    return container;
  }

  #forget(id: ContainerId): void {
    this.#containers.delete(id);
    this.#streams.delete(id);
    this.#checkIdle();
  }

  #running(id: ProcessId): MonitoredContainer | MonitoredExec {
    const found = this.#containers.get(id as ContainerId) ?? this.#execs.get(id as ExecId);
    if (found === undefined) throw notFound(`container ${id} is not known to this monitor`);
    return found;
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
    const isIdle =
      this.#connections.size === 0 &&
      this.#containers.size === 0 &&
      this.#deletions.size === 0 &&
      ![...this.#execs.values()].some(({ isRunning }) => isRunning);
    if (isIdle) this.#idleEnd.unused();
    else this.#idleEnd.used();
  }
}
