import { mkdirSync, openSync, closeSync, constants, rmSync } from 'node:fs';
import path from 'node:path';
import { removeTree } from '../kernel/remove-tree.ts';
import { WorkerPool } from '../kernel/worker-pool.ts';
import { WorkerProcess } from '../kernel/worker-process.ts';
import { type EngineError, internal, invalid } from '../model/errors.ts';
import type { Digest, DiffId } from '../model/ids.ts';
import type { GrowingFile } from '../content/growth.ts';
import type { FileSlice, SourceFile, UnpackReport, UnpackRequest, Unpacked } from './unpack-protocol.ts';

export type LayerSource = FileSlice | GrowingFile;

export interface UnpackJob {
  readonly source: LayerSource;
  readonly blobDigest: Digest | null;
  /** Null: nobody knows it yet. */
  readonly diffId: DiffId | null;
  /** Absolute; must not be there yet. */
  readonly folder: string;
  /** Absolute; must not be there yet. */
  readonly recipe: string;
  /** Resolves with the folders of the layers below, topmost first, when all of them are there. */
  readonly lowers: () => Promise<readonly string[]>;
  readonly onProgress: (readBytes: number) => void;
}

const heapMegabytes = 512;

/**
 * Processes that unpack layers: started when there is work, at most `most` at a time, ended after `idleMs` without any.
 * Layers of one image are unpacked side by side; a layer waits for those below it only at its end.
 */
export class UnpackWorkers implements AsyncDisposable {
  readonly #pool: WorkerPool;
  readonly #stallMs: number;

  /** `program`: absolute path of `unpack.worker.ts`, or of its bundle. `stallMs`: how long one step may take without a sign of life. */
  constructor(options: {
    readonly program: string;
    readonly most: number;
    readonly idleMs?: number;
    readonly stallMs?: number;
  }) {
    const { program, most, idleMs = 2_000 } = options;
    this.#pool = new WorkerPool({
      start: () => new WorkerProcess({ program, heapMegabytes }),
      most,
      idleMs,
      whenClosed: 'the engine is stopping: no layer is unpacked any more',
    });
    this.#stallMs = options.stallMs ?? 600_000;
  }

  /** Running processes, for tests and support. */
  get pids(): readonly number[] {
    return this.#pool.pids;
  }

  /**
   * Unpacks one layer into its folder and writes its recipe; both are on the disk when this resolves, and nothing is left of it when it rejects.
   * Jobs begin in the order of the calls. Throws `invalid` for a broken layer, `internal` when there is no space.
   */
  async unpack(job: UnpackJob, signal: AbortSignal): Promise<Unpacked> {
    let hasBegun = false;
    try {
      return await this.#pool.run((worker) => {
        hasBegun = true;
        return this.#run(worker, job, signal);
      }, signal);
    } catch (error) {
      if (hasBegun) await removeRest(job);
      throw error;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#pool[Symbol.asyncDispose]();
  }

  async #run(worker: WorkerProcess, job: UnpackJob, signal: AbortSignal): Promise<Unpacked> {
    const { source, blobDigest, diffId, folder, recipe } = job;
    const { promise, resolve, reject } = Promise.withResolvers<Unpacked>();
    let stall: NodeJS.Timeout | null = null;
    const expectSign = (): void => {
      clearTimeout(stall ?? undefined);
      // Waiting for a download has that one's time limits, not this one's.
      if (isGrowing(source)) return;
      stall = setTimeout(() => {
        reject(internal(`unpacking layer ${diffId ?? 'without a name'} gave no sign of life for ${this.#stallMs} ms`));
      }, this.#stallMs);
    };
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    worker.listen((message) => {
      expectSign();
      const report = message as UnpackReport; // from our own program, of the same build
      switch (report.kind) {
        case 'progress':
          expectSign();
          return job.onProgress(report.readBytes);
        case 'written':
          // Waiting for the layers below has their time limits, not this one's.
          clearTimeout(stall ?? undefined);
          job.lowers().then((lowers) => {
            expectSign();
            worker.send({ verb: 'finish', lowers } satisfies UnpackRequest);
          }, reject);
          return;
        case 'done':
          return resolve(report);
        case 'failed':
          return reject(errorOf(report, diffId));
      }
    }, reject);
    expectSign();
    using _following = follow(source, { worker, reject, onEnd: expectSign });
    worker.send({
      verb: 'unpack',
      source: sourceFile(source),
      blobDigest,
      diffId,
      folder,
      recipe,
    } satisfies UnpackRequest);
    try {
      return await promise;
    } finally {
      clearTimeout(stall ?? undefined);
      signal.removeEventListener('abort', onAbort);
    }
  }
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

/** All bytes are there: the unpack, which checks the content itself, need not wait until they are on the disk as well. */
function isWhole({ sizeBytes, growth }: GrowingFile): boolean {
  return growth.state.kind === 'complete' || growth.availableBytes === sizeBytes;
}

/** Tells the program how a growing source grows; one that fails, fails the job. */
function follow(
  source: LayerSource,
  job: { readonly worker: WorkerProcess; readonly reject: (error: unknown) => void; readonly onEnd: () => void },
): Disposable {
  if (!('growth' in source)) return { [Symbol.dispose]: () => undefined };
  const { growth } = source;
  let toldBytes = growth.availableBytes;
  const tell = (): void => {
    const { availableBytes, state } = growth;
    if (state.kind === 'failed') return job.reject(state.error);
    const isComplete = isWhole(source);
    if (state.kind === 'complete') job.onEnd();
    if (!isComplete && Math.abs(availableBytes - toldBytes) < growthStepBytes) return;
    toldBytes = availableBytes;
    job.worker.send({ verb: 'grown', availableBytes, isComplete } satisfies UnpackRequest);
  };
  if (growth.state.kind === 'failed') job.reject(growth.state.error);
  return growth.listen(tell);
}

function errorOf(report: Extract<UnpackReport, { kind: 'failed' }>, diffId: DiffId | null): EngineError {
  const message = `failed to register layer${diffId === null ? '' : ` ${diffId}`}: ${report.message}`;
  return report.reason === 'broken' ? invalid(message) : internal(message);
}

async function removeRest({ folder, recipe }: UnpackJob): Promise<void> {
  rmSync(recipe, { force: true });
  mkdirSync(path.dirname(folder), { recursive: true });
  const parent = openSync(path.dirname(folder), constants.O_DIRECTORY);
  try {
    await removeTree(parent, path.basename(folder));
  } finally {
    closeSync(parent);
  }
}
