/**
 * skiffd's side: finds the monitors that are there, starts one when none of this build is, gives each container to the one
 * that has it, and puts things right when one has gone: its containers, whose streams went with it, are adopted by
 * another monitor, which sees their end.
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, notFound } from '../model/errors.ts';
import type { ContainerId, ExecId } from '../model/ids.ts';
import { MonitorConnection, MonitorLostError, openAttachment } from './connection.ts';
import type {
  AttachRequest,
  Attachment,
  ExecExit,
  ExecRequest,
  ExitRecord,
  KnownExec,
  Monitor,
  MonitorProcess,
  ProcessId,
  StartedContainer,
  StartedExec,
  StartRequest,
  TerminalSize,
} from './monitor.ts';
import { awaitEndOf, MonitorRecords } from './records.ts';
import { StartError } from './start-error.ts';
import { startMonitor, type MonitorProgram } from './start-monitor.ts';
import { ExecBook } from './exec-book.ts';
import { fromWireKnownExec, fromWireStarted, protocolWithExec, type WireKnownExec, type WireStarted } from './wire.ts';

export interface OpenMonitorOptions {
  /** Folder of the monitors' sockets and running records, below the exec root: one for each engine. Short: sockets lie in it. */
  readonly folder: string;
  /** Where exit records wait for `acknowledge`; on a real disk they outlive the computer's going down. */
  readonly exitFolder: string;
  readonly program: MonitorProgram;
  /** What no request can tell, for the engine's log. */
  readonly report: (message: string) => void;
  /** How long a monitor without containers and connections stays. Default 10000. */
  readonly idleMs?: number;
}

const callTimeoutMs = 10_000;
const monitorEndTimeoutMs = 5000;
const defaultStartTimeoutMs = 60_000;

export async function openMonitor(options: OpenMonitorOptions): Promise<Monitor> {
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  const monitors = new Monitors(options);
  await monitors.heal();
  return monitors;
}

class Monitors implements Monitor {
  readonly #options: OpenMonitorOptions;
  readonly #records: MonitorRecords;
  readonly #connections = new Map<string, MonitorConnection>();
  /** Which monitor a container or exec was given to: of attach and start. */
  readonly #owners = new Map<ProcessId, MonitorConnection>();
  readonly #execs = new ExecBook();
  readonly #listeners = new Set<(record: ExitRecord) => void>();
  #current: Promise<MonitorConnection> | null = null;
  #healing: Promise<void> | null = null;
  #state: 'open' | 'closed' = 'open';

  constructor(options: OpenMonitorOptions) {
    this.#options = options;
    this.#records = new MonitorRecords(options.folder, options.exitFolder);
  }

  /** Connects to all monitors, adopts what has none, and learns who has what. One at a time. */
  async heal(): Promise<void> {
    const before = this.#healing;
    const healing = (async () => {
      await before;
      if (this.#state === 'open') await this.#healOnce();
    })();
    this.#healing = healing;
    await healing;
  }

  prepare(): void {
    this.#ensureCurrent().catch((error: unknown) =>
      this.#options.report(`no monitor could be started: ${String(error)}`),
    );
  }

  async start(request: StartRequest): Promise<StartedContainer> {
    const connection = this.#owners.get(request.id) ?? (await this.#ensureCurrent());
    this.#owners.set(request.id, connection);
    const timeoutMs = (request.startTimeoutMs ?? defaultStartTimeoutMs) + callTimeoutMs;
    try {
      return fromWireStarted((await connection.call({ op: 'start', start: request }, timeoutMs)) as WireStarted);
    } catch (error) {
      if (!(error instanceof MonitorLostError)) throw error;
      return await this.#afterLostStart(request, error);
    }
  }

  async attach(request: AttachRequest): Promise<Attachment> {
    const connection = this.#owners.get(request.id) ?? (await this.#ensureCurrent());
    this.#owners.set(request.id, connection);
    const { stream, loggedUntil } = await openAttachment(connection.path, request);
    return {
      stream,
      loggedUntil,
      [Symbol.asyncDispose]: async () => {
        stream.destroy();
        await Promise.resolve();
      },
    };
  }

  /** At a monitor of our own build, whoever has the container: an older one may not know how. */
  async exec(request: ExecRequest): Promise<StartedExec> {
    const { id } = request;
    const connection = this.#owners.get(id) ?? (await this.#ensureCurrent());
    this.#owners.set(id, connection);
    this.#execs.begin(id, connection);
    const timeoutMs = (request.startTimeoutMs ?? defaultStartTimeoutMs) + callTimeoutMs;
    try {
      const { started } = fromWireKnownExec(
        (await connection.call({ op: 'exec', exec: request }, timeoutMs)) as WireKnownExec,
      );
      this.#execs.started(started);
      return started;
    } catch (error) {
      this.#execs.drop(id);
      this.#owners.delete(id);
      throw error;
    }
  }

  async execs(): Promise<readonly KnownExec[]> {
    await this.#healing;
    const connections = [...this.#connections.values()].filter(({ protocol }) => protocol >= protocolWithExec);
    const lists = await Promise.all(
      connections.map(async (connection) => {
        const list = (await connection.call({ op: 'execs' }, callTimeoutMs)) as readonly WireKnownExec[];
        const known = list.map(fromWireKnownExec);
        for (const { started, exit } of known) if (exit === null) this.#take(started, connection);
        return known;
      }),
    );
    return lists.flat();
  }

  onExecExit(listener: (exit: ExecExit) => void): Disposable {
    return this.#execs.onExit(listener);
  }

  async forgetExec(id: ExecId): Promise<void> {
    const connections = [...this.#connections.values()].filter(({ protocol }) => protocol >= protocolWithExec);
    await Promise.all(connections.map((connection) => connection.call({ op: 'forget-exec', id }, callTimeoutMs)));
  }

  async signal(id: ProcessId, signal: number): Promise<void> {
    await this.#ownerOf(id).call({ op: 'signal', id, signal }, callTimeoutMs);
  }

  async resize(id: ProcessId, size: TerminalSize): Promise<void> {
    const connection = this.#owners.get(id) ?? (await this.#ensureCurrent());
    await connection.call({ op: 'resize', id, size }, callTimeoutMs);
  }

  async containers(): Promise<readonly StartedContainer[]> {
    await this.#healing;
    const lists = await Promise.all([...this.#connections.values()].map((connection) => containersOf(connection)));
    return lists.flat();
  }

  onExit(listener: (record: ExitRecord) => void): Disposable {
    this.#listeners.add(listener);
    setImmediate(() => {
      if (this.#listeners.has(listener)) this.#tellWaiting(listener);
    });
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  waitingExits(): readonly ExitRecord[] {
    return this.#records.exits().flatMap((id) => this.#records.readExit(id) ?? []);
  }

  async acknowledge(id: ContainerId): Promise<void> {
    this.#owners.delete(id);
    this.#records.removeExit(id);
    await Promise.resolve();
  }

  processes(): readonly MonitorProcess[] {
    return [...this.#connections.values()].map(({ pid, build }) => ({
      pid,
      build,
      isCurrent: build === this.#options.program.build,
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#state = 'closed';
    this.#listeners.clear();
    this.#execs.close();
    await this.#healing?.catch(() => undefined);
    await this.#current?.catch(() => undefined);
    for (const connection of this.#connections.values()) connection[Symbol.dispose]();
    this.#connections.clear();
  }

  async #healOnce(): Promise<void> {
    const { folder } = this.#options;
    const sockets = readdirSync(folder).filter((name) => name.endsWith('.sock'));
    await Promise.all(sockets.map((name) => this.#connect(join(folder, name))));
    for (const id of this.#records.running()) {
      const record = this.#records.readRunning(id);
      if (record === null || this.processes().some(({ pid }) => pid === record.monitor.pid)) continue;
      // Its connection breaks a moment before it is gone.
      if (!(await awaitEndOf(record.monitor, monitorEndTimeoutMs))) {
        this.#options.report(`the monitor of container ${id}, process ${record.monitor.pid}, cannot be reached`);
        continue;
      }
      const connection = await this.#ensureCurrent();
      await connection.call({ op: 'adopt', id }, callTimeoutMs);
      this.#owners.set(id, connection);
    }
    for (const connection of this.#connections.values())
      for (const { id } of await containersOf(connection)) this.#owners.set(id, connection);
    for (const listener of this.#listeners) this.#tellWaiting(listener);
  }

  /** Null when nobody listens there: the socket of a monitor that was killed is removed. */
  async #connect(path: string): Promise<MonitorConnection | null> {
    const known = this.#connections.get(path);
    if (known !== undefined) return known;
    const connection = await MonitorConnection.open(path, {
      onExit: (record) => {
        this.#owners.delete(record.id);
        // The answer to a signal may have come in the same breath: who sent it tells of it first.
        setImmediate(() => {
          for (const listener of this.#listeners) listener(record);
        });
      },
      onExecExit: (exit) => {
        this.#owners.delete(exit.id);
        this.#execs.ended(exit);
      },
      onClose: () => this.#lost(path),
    });
    if (connection === null) {
      rmSync(path, { force: true });
      rmSync(path.replace(/\.sock$/, '.log'), { force: true });
      return null;
    }
    this.#connections.set(path, connection);
    return connection;
  }

  #lost(path: string): void {
    const connection = this.#connections.get(path);
    this.#connections.delete(path);
    for (const [id, owner] of this.#owners) if (owner === connection) this.#owners.delete(id);
    if (this.#state === 'closed') return;
    if (connection !== undefined) this.#execs.abandon(connection);
    this.#options.report(`the connection to the monitor ${path} was lost`);
    this.#current = null;
    this.heal().catch((error: unknown) => {
      this.#options.report(`containers of a monitor that ended could not be taken over: ${String(error)}`);
    });
  }

  /** The monitor of our own build: the one that is there, else a new one. */
  async #ensureCurrent(): Promise<MonitorConnection> {
    if (this.#state === 'closed') throw new EngineError('unavailable', 'the engine is shutting down');
    this.#current ??= this.#findOrStart();
    try {
      return await this.#current;
    } catch (error) {
      this.#current = null;
      throw error;
    }
  }

  async #findOrStart(): Promise<MonitorConnection> {
    const { program, folder, exitFolder, idleMs = 10_000 } = this.#options;
    for (const connection of this.#connections.values()) if (connection.build === program.build) return connection;
    const connection = await this.#connect(await startMonitor({ program, folder, exitFolder, idleMs }));
    if (connection === null) throw new EngineError('internal', 'the monitor ended as soon as it was started');
    return connection;
  }

  #take(started: StartedExec, connection: MonitorConnection): void {
    this.#owners.set(started.id, connection);
    this.#execs.begin(started.id, connection);
    this.#execs.started(started);
  }

  #ownerOf(id: ProcessId): MonitorConnection {
    const connection = this.#owners.get(id);
    if (connection === undefined) throw notFound(`no monitor has container ${id}`);
    return connection;
  }

  #tellWaiting(listener: (record: ExitRecord) => void): void {
    for (const record of this.waitingExits()) listener(record);
  }

  /** The monitor was killed in the middle: either the container runs, adopted by now, or what there is of it goes. */
  async #afterLostStart({ id, runtime }: StartRequest, cause: Error): Promise<StartedContainer> {
    await this.heal();
    const started = (await this.containers()).find((container) => container.id === id);
    if (started !== undefined) return started;
    const connection = await this.#ensureCurrent();
    await connection.call({ op: 'discard', id, runtime }, defaultStartTimeoutMs);
    throw new StartError(128, 'the monitor ended while it started the container', { cause });
  }
}

async function containersOf(connection: MonitorConnection): Promise<readonly StartedContainer[]> {
  const list = (await connection.call({ op: 'containers' }, callTimeoutMs)) as readonly WireStarted[];
  return list.map(fromWireStarted);
}
