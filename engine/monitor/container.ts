/** One container as its monitor holds it: started, running, ended. */
import { copyFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { ExitStatus } from '../kernel/children.ts';
import { hasMemoryKills } from '../kernel/memory-kills.ts';
import { ProcessHandle, processStartTicks } from '../kernel/pidfd.ts';
import type { LogPlan } from '../logs/log-plan.ts';
import type { LogWriter } from '../logs/log-writer.ts';
import { openLog } from '../logs/open-log.ts';
import { conflict } from '../model/errors.ts';
import type { ContainerId } from '../model/ids.ts';
import type { Instant } from '../model/time.ts';
import type { RuntimeSpec } from '../runtime/oci.ts';
import { type Crun, deleteContainer, runContainer } from './crun-calls.ts';
import { awaitTerminal, launch, type Launched } from './launch.ts';
import type { ExitRecord, StartedContainer, StartRequest, TerminalSize } from './monitor.ts';
import type { MonitorRecords, ProcessIdentity, RunningRecord } from './records.ts';
import { StartError } from './start-error.ts';
import type { ContainerStdio } from './stdio.ts';
import type { Streams } from './streams.ts';
import { fromWireStarted, toWireStarted } from './wire.ts';

export interface ContainerParts {
  readonly crun: Crun;
  readonly records: MonitorRecords;
  readonly self: ProcessIdentity;
  readonly now: () => Instant;
  /** Something that the people who run the engine should know and no request can tell. */
  readonly report: (message: string) => void;
}

const defaultDrainTimeoutMs = 1000;
const defaultStartTimeoutMs = 60_000;
const exitRetryMs = 500;
/** Docker's code for an end that nobody saw. */
const unknownExitCode = 255;

export class MonitoredContainer {
  readonly id: ContainerId;
  readonly #parts: ContainerParts;
  readonly #streams: Streams;
  #log: LogWriter | null = null;
  #logFailure: string | null = null;
  #process: ProcessHandle | null = null;
  #started: StartedContainer | null = null;
  #state: 'made' | 'starting' | 'running' | 'ended' = 'made';

  constructor(id: ContainerId, parts: ContainerParts, streams: Streams) {
    this.id = id;
    this.#parts = parts;
    this.#streams = streams;
  }

  /** Non-null while it runs. */
  get started(): StartedContainer | null {
    return this.#state === 'running' ? this.#started : null;
  }

  /** Records of the log until now have this time or an earlier one, all others a later one. */
  get loggedUntil(): Instant {
    const now = this.#parts.now();
    const last = this.#log?.lastRecordAt ?? 0n;
    return last > now ? last : now;
  }

  signal(signal: number): void {
    if (this.#state !== 'running' || this.#process?.signal(signal) !== true) throw notRunning(this.id);
  }

  /** `ended` settles once the exit record is on disk. */
  async start(request: StartRequest): Promise<{ started: StartedContainer; ended: Promise<ExitRecord> }> {
    this.#state = 'starting';
    try {
      const stdio = this.#streams.open(request.stdio, (stream, bytes) =>
        this.#writeLog((log) => log.write(stream, bytes)),
      );
      this.#log = this.#openLog(request.log);
      const { started, end } = await this.#run(request, stdio);
      this.#started = started;
      this.#state = 'running';
      this.#streams.begin();
      return { started, ended: this.#finish(request, started, end) };
    } catch (error) {
      this.#state = 'ended';
      this.#log?.[Symbol.dispose]();
      this.#streams.end();
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
    const { records } = this.#parts;
    const { pid, startTicks, handle, end } = await this.#launch(request, stdio);
    this.#process = handle;
    const started: StartedContainer = { id: this.id, pid, startedAt: this.#parts.now(), startTicks, hold: 'owned' };
    records.writeRunning(this.id, {
      started: toWireStarted(started),
      monitor: this.#parts.self,
      runtime: request.runtime,
      cgroup: request.cgroup,
    });
    this.#keepFilter(request);
    await awaitTerminal(stdio);
    return { started, end };
  }

  async #launch(request: StartRequest, stdio: ContainerStdio): Promise<Launched> {
    const { crun, records } = this.#parts;
    if (request.stdio.kind === 'terminal' && this.#streams.size !== null)
      setConsoleSize(request.bundle, this.#streams.size);
    const { runtime, bundle, startTimeoutMs: timeoutMs = defaultStartTimeoutMs } = request;
    const pidPath = records.pidPath(this.id);
    const { consolePath } = stdio;
    const call = { runtime, id: this.id, bundle, pidPath, consolePath, timeoutMs };
    try {
      return await launch({
        children: crun.children,
        stdio,
        pidPath,
        timeoutMs,
        verb: 'run',
        program: () => programOf(bundle),
        run: (fds) => runContainer(crun, { ...call, stdio: fds }),
      });
    } catch (error) {
      records.removeRunning(this.id);
      await deleteContainer(crun, runtime, this.id);
      throw error;
    }
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

  async #finish(request: StartRequest, started: StartedContainer, end: Promise<ExitStatus>): Promise<ExitRecord> {
    const status = await end;
    const finishedAt = this.#parts.now();
    await this.#streams.drain(request.drainTimeoutMs ?? defaultDrainTimeoutMs);
    this.#writeLog((log) => log.finish());
    this.#log?.[Symbol.dispose]();
    const record: ExitRecord = {
      id: this.id,
      pid: started.pid,
      startedAt: started.startedAt,
      finishedAt,
      exitCode: status.code ?? 128 + (status.signal ?? 0),
      signal: status.signal,
      isOutOfMemory: request.cgroup !== null && hasMemoryKills(request.cgroup),
      isExitCodeKnown: true,
    };
    return await this.#conclude(record, { isVolatile: request.isVolatile === true });
  }

  async #finishAdopted(record: RunningRecord, started: StartedContainer, end: Promise<void>): Promise<ExitRecord> {
    await end;
    const exit: ExitRecord = {
      id: this.id,
      pid: started.pid,
      startedAt: started.startedAt,
      finishedAt: this.#parts.now(),
      exitCode: unknownExitCode,
      signal: null,
      isOutOfMemory: record.cgroup !== null && hasMemoryKills(record.cgroup),
      isExitCodeKnown: false,
    };
    return await this.#conclude(exit, { isVolatile: false });
  }

  /** Nobody hears of the end before it is on disk. */
  async #conclude(record: ExitRecord, options: { readonly isVolatile: boolean }): Promise<ExitRecord> {
    this.#process?.[Symbol.dispose]();
    await this.#writeExit(record, options);
    this.#parts.records.removeRunning(this.id);
    this.#state = 'ended';
    this.#streams.end();
    return record;
  }

  /** A full disk must not lose an exit code: it is kept here until there is room, and the container counts as running so long. */
  async #writeExit(record: ExitRecord, options: { readonly isVolatile: boolean }): Promise<void> {
    for (let isReported = false; ; isReported = true) {
      try {
        return await this.#parts.records.writeExit(record, options);
      } catch (error) {
        if (!isReported) this.#parts.report(`the exit of container ${this.id} waits for room: ${String(error)}`);
        await delay(exitRetryMs);
      }
    }
  }

  #openLog(plan: LogPlan): LogWriter | null {
    const report = (message: string): void => this.#parts.report(`log of container ${this.id}: ${message}`);
    try {
      return openLog(plan, { now: this.#parts.now, report });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new StartError(128, `failed to create task for container: failed to initialize logging driver: ${reason}`, {
        cause: error,
      });
    }
  }

  /** A full disk must not stop the container. It is reported once for each kind of failure. */
  #writeLog(write: (log: LogWriter) => void): void {
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
}

function notRunning(id: ContainerId): Error {
  return conflict(`container ${id} is not running`);
}

function setConsoleSize(bundle: string, { rows, columns }: TerminalSize): void {
  const path = `${bundle}/config.json`;
  const config = JSON.parse(readFileSync(path, 'utf8')) as RuntimeSpec;
  const process = { ...config.process, consoleSize: { height: rows, width: columns } };
  writeFileSync(path, JSON.stringify({ ...config, process }));
}

/** The container's program, for the text of an error. */
function programOf(bundle: string): string {
  const config = JSON.parse(readFileSync(`${bundle}/config.json`, 'utf8')) as {
    process?: { args?: readonly string[] };
  };
  return config.process?.args?.[0] ?? '';
}
