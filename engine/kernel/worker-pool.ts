import { internal } from '../model/errors.ts';
import type { WorkerProcess } from './worker-process.ts';

/**
 * Processes of one program, each with one job at a time: started when there is work, at most `most` at once, ended after
 * `idleMs` without any. Jobs begin in the order of the calls.
 */
export class WorkerPool implements AsyncDisposable {
  readonly #start: () => WorkerProcess;
  readonly #most: number;
  readonly #idleMs: number;
  readonly #whenClosed: string;
  readonly #idle = new Map<WorkerProcess, NodeJS.Timeout>();
  readonly #all = new Set<WorkerProcess>();
  readonly #waiting: (() => void)[] = [];
  #busy = 0;
  #isClosed = false;

  /** `whenClosed`: what a job is refused with once the pool is disposed. */
  constructor(options: {
    readonly start: () => WorkerProcess;
    readonly most: number;
    readonly idleMs: number;
    readonly whenClosed: string;
  }) {
    this.#start = options.start;
    this.#most = options.most;
    this.#idleMs = options.idleMs;
    this.#whenClosed = options.whenClosed;
  }

  /** Running processes, for tests and support. */
  get pids(): readonly number[] {
    return [...this.#all].flatMap(({ pid }) => pid ?? []);
  }

  /**
   * Gives `job` a process. One whose job failed is in an unknown state and is ended before this rejects, unless
   * `isReadyAfter` knows better.
   */
  async run<T>(
    job: (worker: WorkerProcess) => Promise<T>,
    signal: AbortSignal,
    isReadyAfter: () => boolean = () => false,
  ): Promise<T> {
    await this.#turn();
    try {
      signal.throwIfAborted();
      const worker = this.#take();
      try {
        const result = await job(worker);
        this.#keep(worker);
        return result;
      } catch (error) {
        if (isReadyAfter()) this.#keep(worker);
        else await this.#end(worker);
        throw error;
      }
    } finally {
      // The turn is handed on, or given back when nobody waits.
      const next = this.#waiting.shift();
      if (next === undefined) this.#busy -= 1;
      else next();
    }
  }

  /** Work is about to come: the first of it need not wait for a process to start. */
  prepare(): void {
    if (this.#isClosed || this.#all.size > 0) return;
    const worker = this.#start();
    this.#all.add(worker);
    this.#keep(worker);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#all].map((worker) => this.#end(worker)));
  }

  async #turn(): Promise<void> {
    if (this.#busy < this.#most) this.#busy += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #take(): WorkerProcess {
    if (this.#isClosed) throw internal(this.#whenClosed);
    const idle = this.#idle.entries().next().value;
    if (idle !== undefined) {
      const [worker, timer] = idle;
      clearTimeout(timer);
      this.#idle.delete(worker);
      worker.hold('held');
      return worker;
    }
    const worker = this.#start();
    this.#all.add(worker);
    return worker;
  }

  #keep(worker: WorkerProcess): void {
    worker.hold('idle');
    worker.listen(
      () => undefined,
      () => void this.#end(worker),
    );
    this.#idle.set(worker, setTimeout(() => void this.#end(worker), this.#idleMs).unref());
  }

  async #end(worker: WorkerProcess): Promise<void> {
    clearTimeout(this.#idle.get(worker));
    this.#idle.delete(worker);
    await worker[Symbol.asyncDispose]();
    this.#all.delete(worker);
  }
}
