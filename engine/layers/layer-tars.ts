import { FrameReader } from '../kernel/frames.ts';
import { WorkerPool } from '../kernel/worker-pool.ts';
import { WorkerProcess } from '../kernel/worker-process.ts';
import { internal } from '../model/errors.ts';
import type { Digest } from '../model/ids.ts';
import type { TarJob, TarReport } from './tar-protocol.ts';

/** A layer's tar on its way. */
export interface LayerTar {
  /** To be read once; the work begins then. Ending early ends the work. Throws `internal` when the tree was changed. */
  readonly bytes: AsyncIterable<Buffer>;
  /** Of the bytes as they came, packed or not. Known once they have been read to their end: throws `internal` before. */
  result(): { readonly digest: Digest; readonly sizeBytes: number };
}

const heapMegabytes = 256;

/** Processes that stream layers' tars: started when there is work, at most `most` at a time, ended after `idleMs` without any. */
export class LayerTars implements AsyncDisposable {
  readonly #pool: WorkerPool;
  readonly #frames = new WeakMap<WorkerProcess, FrameReader>();
  readonly #stallMs: number;

  /** `program`: absolute path of `tar.worker.ts`, or of its bundle. `stallMs`: how long it may take until more comes. */
  constructor(options: {
    readonly program: string;
    readonly most: number;
    readonly idleMs?: number;
    readonly stallMs?: number;
  }) {
    const { program, most, idleMs = 2_000 } = options;
    this.#pool = new WorkerPool({
      start: () => new WorkerProcess({ program, heapMegabytes, bytes: 'with-pipe' }),
      most,
      idleMs,
      whenClosed: 'the engine is stopping: no layer is read any more',
    });
    this.#stallMs = options.stallMs ?? 600_000;
  }

  /** Running processes, for tests and support. */
  get pids(): readonly number[] {
    return this.#pool.pids;
  }

  stream(job: TarJob, signal: AbortSignal): LayerTar {
    let result: { readonly digest: Digest; readonly sizeBytes: number } | null = null;
    const bytes = this.#bytes(job, signal, (known) => (result = known));
    return {
      bytes,
      result: () => {
        if (result === null) throw internal(`the tar of layer ${job.diffId ?? ''} was not read to its end`);
        return result;
      },
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#pool[Symbol.asyncDispose]();
  }

  async *#bytes(
    job: TarJob,
    signal: AbortSignal,
    onResult: (result: { readonly digest: Digest; readonly sizeBytes: number }) => void,
  ): AsyncGenerator<Buffer, void, void> {
    const started = Promise.withResolvers<Reading>();
    const ended = Promise.withResolvers<void>();
    // The job holds its process until its bytes have been read; one that fails takes the process with it.
    const whole = this.#pool.run(async (worker) => {
      using reading = new Reading({ worker, frames: this.#framesOf(worker), job, signal, stallMs: this.#stallMs });
      started.resolve(reading);
      await ended.promise;
    }, signal);
    whole.catch((error: unknown) => started.reject(error));
    let isRead = false;
    try {
      const reading = await started.promise;
      for (let next = await reading.next(); next !== null; next = await reading.next()) yield next;
      const { digest, sizeBytes } = await reading.done;
      onResult({ digest, sizeBytes });
      isRead = true;
    } finally {
      if (isRead) ended.resolve();
      else ended.reject(internal('the tar of a layer was not read to its end'));
      await Promise.allSettled([whole]);
    }
  }

  /** What a process sent beyond the end of one job belongs to the next: its reader stays with it. */
  #framesOf(worker: WorkerProcess): FrameReader {
    const known = this.#frames.get(worker);
    if (known !== undefined) return known;
    const frames = new FrameReader(worker.pipe);
    this.#frames.set(worker, frames);
    return frames;
  }
}

type Done = Extract<TarReport, { kind: 'done' }>;

/** One job of one process. */
class Reading implements Disposable {
  /** Resolves behind the last byte; rejects when the job fails, at whatever time. */
  readonly done: Promise<Done>;
  readonly #frames: FrameReader;
  readonly #fail: (error: unknown) => void;
  readonly #signal: AbortSignal;
  readonly #stallMs: number;
  readonly #what: string;

  constructor(parts: {
    readonly worker: WorkerProcess;
    readonly frames: FrameReader;
    readonly job: TarJob;
    readonly signal: AbortSignal;
    readonly stallMs: number;
  }) {
    const { worker, job } = parts;
    this.#frames = parts.frames;
    this.#signal = parts.signal;
    this.#stallMs = parts.stallMs;
    this.#what = job.diffId === null ? 'the archive' : `the tar of layer ${job.diffId}`;
    const done = Promise.withResolvers<Done>();
    done.promise.catch(() => undefined);
    this.done = done.promise;
    this.#fail = (error) => {
      this.#frames.fail(error instanceof Error ? error : internal(String(error)));
      done.reject(error);
    };
    worker.listen((message) => {
      const report = message as TarReport; // from our own program, of the same build
      if (report.kind === 'done') done.resolve(report);
      else this.#fail(internal(`${this.#what}: ${report.message}`));
    }, this.#fail);
    this.#signal.addEventListener('abort', this.#onAbort, { once: true });
    if (this.#signal.aborted) this.#onAbort();
    worker.send(job);
  }

  async next(): Promise<Buffer | null> {
    const stall = setTimeout(
      () => this.#fail(internal(`${this.#what}: nothing came for ${this.#stallMs} ms`)),
      this.#stallMs,
    );
    try {
      return await this.#frames.next();
    } finally {
      clearTimeout(stall);
    }
  }

  [Symbol.dispose](): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
  }

  readonly #onAbort = (): void => this.#fail(this.#signal.reason);
}
