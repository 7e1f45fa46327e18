import { JobOutput, type Pieces } from '../kernel/job-output.ts';
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
      start: () => new WorkerProcess({ program, heapMegabytes, bytes: 'with-output' }),
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

  stream(job: TarJob, options: { readonly pieces?: Pieces; readonly signal: AbortSignal }): LayerTar {
    let result: { readonly digest: Digest; readonly sizeBytes: number } | null = null;
    const bytes = this.#bytes(job, options, (known) => (result = known));
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
    { pieces = 'lasting', signal }: { readonly pieces?: Pieces; readonly signal: AbortSignal },
    onResult: (result: { readonly digest: Digest; readonly sizeBytes: number }) => void,
  ): AsyncGenerator<Buffer, void, void> {
    const started = Promise.withResolvers<Reading>();
    const ended = Promise.withResolvers<void>();
    // The job holds its process until its bytes have been read; one that fails takes the process with it.
    const whole = this.#pool.run(async (worker) => {
      using reading = new Reading({ worker, job, pieces, signal, stallMs: this.#stallMs });
      started.resolve(reading);
      await ended.promise;
    }, signal);
    whole.catch((error: unknown) => started.reject(error));
    let isRead = false;
    try {
      const reading = await started.promise;
      for (let next = await reading.next(); next !== null; next = await reading.next()) yield next;
      onResult(reading.result());
      isRead = true;
    } finally {
      if (isRead) ended.resolve();
      else ended.reject(internal('the tar of a layer was not read to its end'));
      await Promise.allSettled([whole]);
    }
  }
}

type Done = Extract<TarReport, { kind: 'done' }>;

/** One job of one process. */
class Reading implements Disposable {
  readonly #output: JobOutput;
  readonly #signal: AbortSignal;
  readonly #stallMs: number;
  readonly #what: string;
  #done: Done | null = null;

  constructor(parts: {
    readonly worker: WorkerProcess;
    readonly job: TarJob;
    readonly pieces: Pieces;
    readonly signal: AbortSignal;
    readonly stallMs: number;
  }) {
    const { worker, job } = parts;
    this.#output = new JobOutput(worker.output, parts.pieces);
    this.#signal = parts.signal;
    this.#stallMs = parts.stallMs;
    this.#what = job.diffId === null ? 'the archive' : `the tar of layer ${job.diffId}`;
    worker.listen(
      (message) => {
        const report = message as TarReport; // from our own program, of the same build
        if (report.kind === 'failed') return this.#output.fail(internal(`${this.#what}: ${report.message}`));
        this.#done = report;
        this.#output.end(report.sizeBytes);
      },
      (error) => this.#output.fail(error),
    );
    this.#signal.addEventListener('abort', this.#onAbort, { once: true });
    if (this.#signal.aborted) this.#onAbort();
    worker.send(job);
  }

  /** Some bytes; null behind the last one. Throws when the job fails. */
  async next(): Promise<Buffer | null> {
    const stall = setTimeout(
      () => this.#output.fail(internal(`${this.#what}: nothing came for ${this.#stallMs} ms`)),
      this.#stallMs,
    );
    try {
      return await this.#output.next();
    } finally {
      clearTimeout(stall);
    }
  }

  /** Once `next` gave null. */
  result(): Pick<Done, 'digest' | 'sizeBytes'> {
    if (this.#done === null) throw internal(`${this.#what} was not read to its end`);
    return { digest: this.#done.digest, sizeBytes: this.#done.sizeBytes };
  }

  [Symbol.dispose](): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
  }

  readonly #onAbort = (): void => this.#output.fail(this.#signal.reason);
}
