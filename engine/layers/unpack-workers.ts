import { WorkerPool } from '../kernel/worker-pool.ts';
import { WorkerProcess } from '../kernel/worker-process.ts';
import type { GrowingFile } from '../content/growth.ts';
import { type EngineError, internal, invalid } from '../model/errors.ts';
import type { Digest, DiffId } from '../model/ids.ts';
import type { FileSlice, LayerTarget, Removal, SourceFile, UnpackReport, UnpackRequest } from './unpack-protocol.ts';

export type LayerSource = FileSlice | GrowingFile;

export interface UnpackJob extends LayerTarget {
  readonly source: LayerSource;
  readonly blobDigest: Digest | null;
  /** Null: nobody knows it yet. */
  readonly diffId: DiffId | null;
  readonly onProgress: (readBytes: number) => void;
}

export interface FinishJob {
  readonly diffId: DiffId;
  /** With its late work in a file beside it. */
  readonly folder: string;
  /** Absolute folders of the layers below, topmost first. */
  readonly lowers: readonly string[];
}

type Answer<Kind extends UnpackReport['kind']> = Extract<UnpackReport, { kind: Kind }>;

const heapMegabytes = 512;

/**
 * Processes that unpack layers: started when there is work, ended after `idleMs` without any. No job waits for another,
 * so layers can be unpacked in any order; those that wait for a download have processes of their own, so that a slow one
 * keeps nobody else waiting.
 */
export class UnpackWorkers implements AsyncDisposable {
  readonly #pool: WorkerPool;
  readonly #followers: WorkerPool;
  readonly #stallMs: number;

  /**
   * `program`: absolute path of `unpack.worker.ts`, or of its bundle. `most`: at a time, of each of the two kinds. `stallMs`: how
   * long one step may take without a sign of life.
   */
  constructor(options: {
    readonly program: string;
    readonly most: number;
    readonly idleMs?: number;
    readonly stallMs?: number;
  }) {
    const { program, most, idleMs = 15_000 } = options;
    const whenClosed = 'the engine is stopping: no layer is unpacked any more';
    const start = (): WorkerProcess => new WorkerProcess({ program, heapMegabytes });
    this.#pool = new WorkerPool({ start, most, idleMs, whenClosed });
    this.#followers = new WorkerPool({ start, most, idleMs, whenClosed });
    this.#stallMs = options.stallMs ?? 600_000;
  }

  /** A layer will come soon, and grow while it comes: a process for it starts now. */
  prepare(): void {
    this.#followers.prepare();
  }

  /** Running processes, for tests and support. */
  get pids(): readonly number[] {
    return [...this.#pool.pids, ...this.#followers.pids];
  }

  /**
   * Unpacks one layer into its folder and writes its recipe, not to the disk yet. When it rejects, something may be left of both.
   * Jobs begin in the order of the calls. Throws `invalid` for a broken layer, `internal` when there is no space.
   */
  async unpack(job: UnpackJob, signal: AbortSignal): Promise<Answer<'unpacked'>> {
    const { source, blobDigest, diffId, folder, recipe, onProgress } = job;
    const pool = isGrowing(source) ? this.#followers : this.#pool;
    return await pool.run(async (worker) => {
      const job = this.#start(worker, {
        what: diffId === null ? 'unpacking a layer' : `unpacking layer ${diffId}`,
        diffId,
        signal,
        onProgress,
        source,
      });
      using _following = follow(source, { worker, fail: job.fail, onEnd: job.touch });
      worker.send({
        verb: 'unpack',
        source: sourceFile(source),
        blobDigest,
        diffId,
        folder,
        recipe,
      } satisfies UnpackRequest);
      return await job.answer('unpacked');
    }, signal);
  }

  /** What is left to be done of a layer once those below it are there. Throws as `unpack` does. */
  async finish(job: FinishJob, signal: AbortSignal): Promise<Answer<'finished'>> {
    const { diffId, folder, lowers } = job;
    return await this.#pool.run(async (worker) => {
      const job = this.#start(worker, { what: `finishing layer ${diffId}`, diffId, signal });
      worker.send({ verb: 'finish', folder, lowers } satisfies UnpackRequest);
      return await job.answer('finished');
    }, signal);
  }

  /** Removes trees by calls that are made at once, each a tenth of what it costs through the threads of Node. */
  async remove(removal: Removal): Promise<void> {
    const { signal } = new AbortController();
    await this.#pool.run(async (worker) => {
      const job = this.#start(worker, { what: 'removing layers', diffId: null, signal });
      worker.send({ verb: 'remove', ...removal } satisfies UnpackRequest);
      await job.answer('removed');
    }, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#pool[Symbol.asyncDispose](), this.#followers[Symbol.asyncDispose]()]);
  }

  #start(
    worker: WorkerProcess,
    job: {
      readonly what: string;
      readonly diffId: DiffId | null;
      readonly signal: AbortSignal;
      readonly onProgress?: (readBytes: number) => void;
      readonly source?: LayerSource;
    },
  ): RunningJob {
    const { promise, resolve, reject } = Promise.withResolvers<UnpackReport>();
    promise.catch(() => undefined);
    let stall: NodeJS.Timeout | null = null;
    let isOver = false;
    const touch = (): void => {
      clearTimeout(stall ?? undefined);
      // What a process still tells that is being ended is no reason to wait for it: nor may the engine, when it ends.
      if (isOver) return;
      // Waiting for a download has that one's time limits, not this one's.
      if (job.source !== undefined && isGrowing(job.source)) return;
      stall = setTimeout(() => {
        reject(internal(`${job.what} gave no sign of life for ${this.#stallMs} ms`));
      }, this.#stallMs);
    };
    const onAbort = (): void => reject(job.signal.reason);
    job.signal.addEventListener('abort', onAbort, { once: true });
    worker.listen((message) => {
      touch();
      const report = message as UnpackReport; // from our own program, of the same build
      if (report.kind === 'progress') job.onProgress?.(report.readBytes);
      else resolve(report);
    }, reject);
    touch();
    const answer: RunningJob['answer'] = async (kind) => {
      try {
        const report = await promise;
        if (report.kind === 'failed') throw errorOf(report, job);
        if (report.kind !== kind) throw internal('the unpack program gave another answer than asked for');
        return report as Answer<typeof kind>; // checked by its kind
      } finally {
        isOver = true;
        clearTimeout(stall ?? undefined);
        job.signal.removeEventListener('abort', onAbort);
      }
    };
    return { answer, fail: reject, touch };
  }
}

interface RunningJob {
  /** Ends the job: to be called once. */
  answer<Kind extends 'unpacked' | 'finished' | 'removed'>(kind: Kind): Promise<Answer<Kind>>;
  fail(error: unknown): void;
  touch(): void;
}

/** A message for each of these many bytes, not for each chunk of a download. */
const growthStepBytes = 256 * 1024;

function isGrowing(source: LayerSource): boolean {
  return 'growth' in source && source.growth.state.kind === 'growing';
}

function sourceFile(source: LayerSource): SourceFile {
  if (!('growth' in source)) {
    return { files: [source.file], offset: source.offset, availableBytes: source.sizeBytes, isComplete: true };
  }
  const { file, finalFile, growth } = source;
  return { files: [file, finalFile], offset: 0, availableBytes: growth.availableBytes, isComplete: isWhole(source) };
}

/** All bytes are there: the unpack, which checks the content itself, need not wait until the blob has its row. */
function isWhole({ sizeBytes, growth }: GrowingFile): boolean {
  return growth.state.kind === 'complete' || growth.availableBytes === sizeBytes;
}

/** Tells the program how a growing source grows; one that fails, fails the job. */
function follow(
  source: LayerSource,
  job: { readonly worker: WorkerProcess; readonly fail: (error: unknown) => void; readonly onEnd: () => void },
): Disposable {
  if (!('growth' in source)) return { [Symbol.dispose]: () => undefined };
  const { growth } = source;
  let toldBytes = growth.availableBytes;
  const tell = (): void => {
    const { availableBytes, state } = growth;
    if (state.kind === 'failed') return job.fail(state.error);
    const isComplete = isWhole(source);
    if (state.kind === 'complete') job.onEnd();
    if (!isComplete && Math.abs(availableBytes - toldBytes) < growthStepBytes) return;
    toldBytes = availableBytes;
    job.worker.send({ verb: 'grown', availableBytes, isComplete } satisfies UnpackRequest);
  };
  if (growth.state.kind === 'failed') job.fail(growth.state.error);
  return growth.listen(tell);
}

function errorOf(
  report: Answer<'failed'>,
  job: { readonly what: string; readonly diffId: DiffId | null },
): EngineError {
  const message = `failed to register layer${job.diffId === null ? '' : ` ${job.diffId}`}: ${report.message}`;
  switch (report.reason) {
    case 'broken':
      return invalid(message);
    case 'no-space':
      return internal(message, { cause: Object.assign(new Error(report.message), { code: 'ENOSPC' }) });
    case 'failed':
      return internal(message);
  }
}
