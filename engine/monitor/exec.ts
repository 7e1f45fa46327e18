/** One more process in a running container, as its monitor holds it. */
import { rmSync } from 'node:fs';
import type { ProcessHandle } from '../kernel/pidfd.ts';
import { conflict } from '../model/errors.ts';
import type { Instant } from '../model/time.ts';
import { type Crun, execInContainer } from './crun-calls.ts';
import { awaitTerminal, launch } from './launch.ts';
import type { ExecExit, ExecRequest, KnownExec, StartedExec } from './monitor.ts';
import type { MonitorRecords } from './records.ts';
import type { SpecProcess } from '../runtime/oci.ts';
import type { Streams } from './streams.ts';

const defaultDrainTimeoutMs = 1000;
const defaultStartTimeoutMs = 60_000;

export interface ExecParts {
  readonly crun: Crun;
  readonly records: MonitorRecords;
  readonly now: () => Instant;
}

export class MonitoredExec {
  readonly #request: ExecRequest;
  readonly #parts: ExecParts;
  readonly #streams: Streams;
  #handle: ProcessHandle | null = null;
  #started: StartedExec | null = null;
  #exit: ExecExit | null = null;

  constructor(request: ExecRequest, parts: ExecParts, streams: Streams) {
    this.#request = request;
    this.#parts = parts;
    this.#streams = streams;
  }

  /** Null until it has started. */
  get known(): KnownExec | null {
    return this.#started === null ? null : { started: this.#started, detail: this.#request.detail, exit: this.#exit };
  }

  get isRunning(): boolean {
    return this.#exit === null;
  }

  signal(signal: number): void {
    if (this.#handle?.signal(signal) !== true) throw conflict(`exec ${this.#request.id} is not running`);
  }

  /** `ended` settles when its output has been read; whoever is told of it does that before `Streams.end`. */
  async start(): Promise<{ started: StartedExec; ended: Promise<ExecExit> }> {
    const { id, container, stdio: plan, startTimeoutMs: timeoutMs = defaultStartTimeoutMs } = this.#request;
    const { crun, records, now } = this.#parts;
    const stdio = this.#streams.open(plan, () => undefined);
    const files = records.writeExecProcess(id, this.#process());
    try {
      const launched = await launch({
        children: crun.children,
        stdio,
        pidPath: files.pidPath,
        timeoutMs,
        verb: 'exec',
        program: () => this.#request.process.args[0] ?? '',
        run: (fds) =>
          execInContainer(crun, {
            runtime: this.#request.runtime,
            id: container,
            processPath: files.processPath,
            pidPath: files.pidPath,
            consolePath: stdio.consolePath,
            stdio: fds,
            timeoutMs,
          }),
      });
      this.#handle = launched.handle;
      const { pid, startTicks } = launched;
      const started = { id, container, pid, startTicks, startedAt: now() };
      this.#started = started;
      await awaitTerminal(stdio);
      this.#streams.begin();
      return { started, ended: this.#finish(launched.end) };
    } catch (error) {
      // A process that has started and whose terminal never came would stay with nobody to hear it.
      this.#handle?.signal(9);
      this.#handle?.[Symbol.dispose]();
      this.#streams.end();
      throw error;
    } finally {
      for (const path of Object.values(files)) rmSync(path, { force: true });
    }
  }

  #process(): SpecProcess {
    const { process, stdio } = this.#request;
    const { size } = this.#streams;
    if (stdio.kind !== 'terminal' || size === null) return process;
    return { ...process, consoleSize: { height: size.rows, width: size.columns } };
  }

  async #finish(end: Promise<{ readonly code: number | null; readonly signal: number | null }>): Promise<ExecExit> {
    const status = await end;
    const finishedAt = this.#parts.now();
    this.#handle?.[Symbol.dispose]();
    await this.#streams.drain(this.#request.drainTimeoutMs ?? defaultDrainTimeoutMs);
    this.#exit = { id: this.#request.id, finishedAt, exitCode: status.code ?? 128 + (status.signal ?? 0) };
    return this.#exit;
  }
}
