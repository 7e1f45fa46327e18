/** One container as its monitor holds it: announced by those attached, started, running, ended. */
import { copyFileSync, readFileSync, renameSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { Children, ExitStatus } from '../kernel/children.ts';
import { ProcessHandle, processStartTicks } from '../kernel/pidfd.ts';
import { JsonFileWriter } from '../logs/json-file-writer.ts';
import { conflict } from '../model/errors.ts';
import type { ContainerId } from '../model/ids.ts';
import type { Instant } from '../model/time.ts';
import { Audience } from './audience.ts';
import { deleteContainer, runContainer } from './crun-calls.ts';
import { hasMemoryKills } from './memory-kills.ts';
import type { AttachRequest, ExitRecord, StartedContainer, StartRequest, TerminalSize } from './monitor.ts';
import type { MonitorRecords, ProcessIdentity, RunningRecord } from './records.ts';
import { startErrorFrom } from './runtime-errors.ts';
import { StartError } from './start-error.ts';
import { ContainerStdio } from './stdio.ts';
import { fromWireStarted, toWireStarted } from './wire.ts';

export interface ContainerParts {
  readonly children: Children;
  readonly records: MonitorRecords;
  readonly self: ProcessIdentity;
  readonly now: () => Instant;
  /** Where a socket for the container's terminal may be made. */
  readonly consolePath: string;
  /** Something that the people who run the engine should know and no request can tell. */
  readonly report: (message: string) => void;
}

const defaultDrainTimeoutMs = 1000;
const defaultStartTimeoutMs = 60_000;
const terminalTimeoutMs = 5000;
/** Docker's code for an end that nobody saw. */
const unknownExitCode = 255;

export class MonitoredContainer {
  readonly id: ContainerId;
  readonly #parts: ContainerParts;
  readonly #audience = new Audience(() => this.#regulate());
  #size: TerminalSize | null = null;
  #stdio: ContainerStdio | null = null;
  #log: JsonFileWriter | null = null;
  #logFailure: string | null = null;
  #process: ProcessHandle | null = null;
  #started: StartedContainer | null = null;
  #state: 'announced' | 'starting' | 'running' | 'ended' = 'announced';

  constructor(id: ContainerId, parts: ContainerParts) {
    this.id = id;
    this.#parts = parts;
  }

  get state(): 'announced' | 'starting' | 'running' | 'ended' {
    return this.#state;
  }

  /** Non-null while it runs. */
  get started(): StartedContainer | null {
    return this.#state === 'running' ? this.#started : null;
  }

  get audienceSize(): number {
    return this.#audience.size;
  }

  attach(socket: Socket, request: AttachRequest, early: Buffer): void {
    this.#audience.join(socket, request, early);
  }

  signal(signal: number): void {
    if (this.#state !== 'running' || this.#process?.signal(signal) !== true) throw notRunning(this.id);
  }

  resize(size: TerminalSize): void {
    this.#size = size;
    if (this.#stdio !== null && !this.#stdio.resize(size)) throw conflict(`container ${this.id} has no terminal`);
  }

  /** `ended` settles once the exit record is on disk. */
  async start(request: StartRequest): Promise<{ started: StartedContainer; ended: Promise<ExitRecord> }> {
    this.#state = 'starting';
    const plan = request.stdio;
    const stdio = new ContainerStdio(
      plan.kind === 'terminal' && this.#size !== null ? { ...plan, size: this.#size } : plan,
      this.#parts.consolePath,
      { onOutput: (stream, bytes) => this.#output(stream, bytes) },
    );
    try {
      if (request.log.driver === 'json-file') this.#log = new JsonFileWriter(request.log, this.#parts.now);
      const { started, end } = await this.#run(request, stdio);
      this.#stdio = stdio;
      this.#started = started;
      this.#state = 'running';
      this.#audience.begin(stdio.framing, stdio.begin());
      return { started, ended: this.#finish(request, started, end) };
    } catch (error) {
      this.#state = 'ended';
      stdio[Symbol.dispose]();
      this.#log?.[Symbol.dispose]();
      this.#audience.end();
      throw error;
    }
  }

  /** Takes over from a monitor that is gone: there are no streams any more and no exit code, but an end to be told. */
  adopt(record: RunningRecord): { started: StartedContainer; ended: Promise<ExitRecord> } {
    const started: StartedContainer = { ...fromWireStarted(record.started), hold: 'adopted' };
    const handle = ProcessHandle.open(started.pid);
    const isSame = handle !== null && processStartTicks(started.pid) === started.startTicks;
    this.#started = started;
    this.#state = 'running';
    this.#parts.records.writeRunning(this.id, {
      ...record,
      started: toWireStarted(started),
      monitor: this.#parts.self,
    });
    const end = new Promise<void>((resolve) => {
      if (handle === null || !isSame) return resolve();
      this.#process = handle;
      handle.onEnd(resolve);
    });
    if (!isSame) handle?.[Symbol.dispose]();
    return { started, ended: this.#finishAdopted(record, started, end) };
  }

  async #run(
    request: StartRequest,
    stdio: ContainerStdio,
  ): Promise<{ started: StartedContainer; end: Promise<ExitStatus> }> {
    const { children, records } = this.#parts;
    const pidPath = records.pidPath(this.id);
    // The container may end before we know its pid: until then its body must stay where it is.
    using hold = children.holdStrangers();
    const status = await runContainer(children, {
      runtime: request.runtime,
      id: this.id,
      bundle: request.bundle,
      pidPath,
      consolePath: stdio.consolePath,
      stdio: stdio.childFds,
      timeoutMs: request.startTimeoutMs ?? defaultStartTimeoutMs,
    });
    stdio.closeChildEnds();
    if (status === 'timeout' || status.code !== 0) {
      const error = this.#startError(request, status, stdio.readErrors());
      records.removeRunning(this.id);
      hold[Symbol.dispose]();
      await deleteContainer(children, request.runtime, this.id);
      throw error;
    }
    const pid = Number(readFileSync(pidPath, 'latin1'));
    const startedAt = this.#parts.now();
    this.#process = ProcessHandle.open(pid);
    const startTicks = processStartTicks(pid) ?? 0;
    const started: StartedContainer = { id: this.id, pid, startedAt, startTicks, hold: 'owned' };
    const end = children.awaitEnd(pid);
    records.writeRunning(this.id, {
      started: toWireStarted(started),
      monitor: this.#parts.self,
      runtime: request.runtime,
      cgroup: request.cgroup,
    });
    this.#keepFilter(request);
    await this.#awaitTerminal(stdio);
    return { started, end };
  }

  #keepFilter({ saveFilterTo: path, runtime }: StartRequest): void {
    if (path === undefined || path === null) return;
    try {
      copyFileSync(`${runtime.stateFolder}/${this.id}/seccomp.bpf`, `${path}.${this.id}`);
      renameSync(`${path}.${this.id}`, path);
    } catch (error) {
      // Newer versions keep it elsewhere, or nowhere: then each start compiles, and that is all.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#parts.report(`the seccomp filter of container ${this.id} could not be kept: ${String(error)}`);
    }
  }

  #startError(request: StartRequest, status: ExitStatus | 'timeout', output: string): StartError {
    if (status === 'timeout')
      return new StartError(
        128,
        `the runtime did not start the container within ${request.startTimeoutMs ?? defaultStartTimeoutMs} ms`,
      );
    if (status.signal !== null)
      return new StartError(128, `the runtime was killed by signal ${status.signal}: ${output}`);
    return startErrorFrom(output, programOf(request.bundle));
  }

  async #awaitTerminal(stdio: ContainerStdio): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new StartError(128, `the runtime handed over no terminal within ${terminalTimeoutMs} ms`);
      timer = setTimeout(() => reject(error), terminalTimeoutMs);
    });
    try {
      await Promise.race([stdio.terminalArrived(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #finish(request: StartRequest, started: StartedContainer, end: Promise<ExitStatus>): Promise<ExitRecord> {
    const status = await end;
    const finishedAt = this.#parts.now();
    await this.#stdio?.drain(request.drainTimeoutMs ?? defaultDrainTimeoutMs);
    this.#writeLog((log) => log.finish());
    this.#log?.[Symbol.dispose]();
    return await this.#conclude({
      id: this.id,
      pid: started.pid,
      startedAt: started.startedAt,
      finishedAt,
      exitCode: status.code ?? 128 + (status.signal ?? 0),
      signal: status.signal,
      isOutOfMemory: request.cgroup !== null && hasMemoryKills(request.cgroup),
      isExitCodeKnown: true,
    });
  }

  async #finishAdopted(record: RunningRecord, started: StartedContainer, end: Promise<void>): Promise<ExitRecord> {
    await end;
    return await this.#conclude({
      id: this.id,
      pid: started.pid,
      startedAt: started.startedAt,
      finishedAt: this.#parts.now(),
      exitCode: unknownExitCode,
      signal: null,
      isOutOfMemory: record.cgroup !== null && hasMemoryKills(record.cgroup),
      isExitCodeKnown: false,
    });
  }

  /** Nobody hears of the end before it is on disk. */
  async #conclude(record: ExitRecord): Promise<ExitRecord> {
    this.#process?.[Symbol.dispose]();
    await this.#parts.records.writeExit(record);
    this.#parts.records.removeRunning(this.id);
    this.#state = 'ended';
    this.#audience.end();
    this.#stdio?.[Symbol.dispose]();
    return record;
  }

  #output(stream: 'stdout' | 'stderr', bytes: Buffer): void {
    this.#writeLog((log) => log.write(stream, bytes));
    this.#audience.send(stream, bytes);
    this.#regulate();
  }

  /** A full disk must not stop the container. It is reported once for each kind of failure. */
  #writeLog(write: (log: JsonFileWriter) => void): void {
    if (this.#log === null) return;
    try {
      write(this.#log);
      this.#logFailure = null;
    } catch (error) {
      const failure = error instanceof Error ? error.message : String(error);
      if (failure !== this.#logFailure) this.#parts.report(`log of container ${this.id}: lines are lost: ${failure}`);
      this.#logFailure = failure;
    }
  }

  #regulate(): void {
    if (this.#audience.isFull) this.#stdio?.pause();
    else this.#stdio?.resume();
  }
}

function notRunning(id: ContainerId): Error {
  return conflict(`container ${id} is not running`);
}

/** The container's program, for the text of an error. */
function programOf(bundle: string): string {
  const config = JSON.parse(readFileSync(`${bundle}/config.json`, 'utf8')) as {
    process?: { args?: readonly string[] };
  };
  return config.process?.args?.[0] ?? '';
}
