import { WorkerPool } from '../kernel/worker-pool.ts';
import { WorkerProcess } from '../kernel/worker-process.ts';
import type { DeviceMount } from '../kernel/mount.ts';
import type { LayerTarget, Unpacked } from '../layers/unpack-protocol.ts';
import { EngineError, internal } from '../model/errors.ts';
import { endFrames, writeFrame } from '../kernel/frames.ts';
import { JobOutput } from '../kernel/job-output.ts';
import type { TreeJob, TreeReport, TreeResult } from './tree-protocol.ts';
import type { Change, OverlayFolders, PathStat, Trees, UnpackInto, View } from './trees.ts';

const heapMegabytes = 512;

/** A job under way: `begun` and `done` reject when it fails; both are awaited by who runs it, or by nobody. */
interface Running {
  readonly worker: WorkerProcess;
  /** Of an archive. Its pieces are fleeting. */
  readonly output: JobOutput;
  readonly begun: Promise<PathStat | null>;
  readonly done: Promise<TreeResult>;
  /** A sign of life: the job may take its time again. */
  readonly touch: () => void;
  /** It was refused before a byte was sent: the process is ready for the next job. */
  readonly isRefused: () => boolean;
}

/**
 * Trees by processes of their own (see `trees.ts` for what each method promises): started when there is work, at most
 * `most` at a time, ended after `idleMs` without any. A job that fails takes its process with it.
 */
export class TreeWorkers implements Trees, AsyncDisposable {
  readonly #pool: WorkerPool;
  readonly #stallMs: number;

  /** `program`: absolute path of `trees.worker.ts`, or of its bundle. `stallMs`: how long a job may go without a sign of life. */
  constructor(options: {
    readonly program: string;
    readonly most: number;
    readonly idleMs?: number;
    readonly stallMs?: number;
  }) {
    const { program, most, idleMs = 10_000 } = options;
    this.#pool = new WorkerPool({
      start: () => new WorkerProcess({ program, heapMegabytes, bytes: 'with-both' }),
      most,
      idleMs,
      whenClosed: 'the engine is stopping: no file tree is read or written any more',
    });
    this.#stallMs = options.stallMs ?? 600_000;
  }

  async stat(view: View, path: string): Promise<PathStat> {
    const result = await this.#result({ verb: 'stat', view, path });
    if (result.is !== 'stat') throw internal('the tree program gave another answer than asked for');
    return result.stat;
  }

  async pack(
    view: View,
    path: string,
    signal: AbortSignal,
  ): Promise<{ stat: PathStat; content: AsyncIterable<Buffer> }> {
    const { stat, content } = await this.#stream({ verb: 'pack', view, path }, signal);
    if (stat === null) throw internal('the tree program gave another answer than asked for');
    return { stat, content };
  }

  async packAll(root: string, signal: AbortSignal): Promise<AsyncIterable<Buffer>> {
    return (await this.#stream({ verb: 'pack-all', root }, signal)).content;
  }

  async writeChanges(upper: string, target: LayerTarget, signal: AbortSignal): Promise<Unpacked> {
    const result = await this.#with({ verb: 'write-changes', upper, target }, signal, (running) => running.done);
    if (result.is !== 'unpacked') throw internal('the tree program gave another answer than asked for');
    return result.unpacked;
  }

  async unpack(view: View, into: UnpackInto, content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    await this.#with({ verb: 'unpack', view, into }, signal, async (job) => {
      await job.begun;
      const { pipe } = job.worker;
      const sending = async (): Promise<void> => {
        for await (const chunk of content) {
          await writeFrame(pipe, chunk);
          job.touch();
        }
        endFrames(pipe);
        await job.done;
      };
      // A failure ends the job while we would still wait for the client, or for room in the pipe.
      await Promise.race([sending(), job.done.then(() => undefined)]);
    });
  }

  async copyUp(from: { readonly root: string; readonly path: string }, folder: string): Promise<void> {
    await this.#result({ verb: 'copy-up', ...from, folder });
  }

  async changes(layers: OverlayFolders): Promise<readonly Change[]> {
    const result = await this.#result({ verb: 'changes', layers });
    if (result.is !== 'changes') throw internal('the tree program gave another answer than asked for');
    return result.changes;
  }

  async measure(folders: readonly string[]): Promise<readonly number[]> {
    if (folders.length === 0) return [];
    const result = await this.#result({ verb: 'measure', folders });
    if (result.is !== 'sizes') throw internal('the tree program gave another answer than asked for');
    return result.sizes;
  }

  async usage(paths: readonly string[]): Promise<readonly number[]> {
    if (paths.length === 0) return [];
    const result = await this.#result({ verb: 'usage', paths });
    if (result.is !== 'sizes') throw internal('the tree program gave another answer than asked for');
    return result.sizes;
  }

  async copyTree(from: string, to: string): Promise<number> {
    const result = await this.#result({ verb: 'copy-tree', from, to });
    if (result.is !== 'sizes') throw internal('the tree program gave another answer than asked for');
    return result.sizes[0] ?? 0;
  }

  async mountDevice(device: DeviceMount): Promise<void> {
    await this.#result({ verb: 'mount', device });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#pool[Symbol.asyncDispose]();
  }

  async #result(job: TreeJob): Promise<TreeResult> {
    const never = new AbortController();
    return await this.#with(job, never.signal, (running) => running.done);
  }

  /** Resolves when the first byte is on its way: what is wrong with the request is known by then. */
  async #stream(job: TreeJob, signal: AbortSignal): Promise<{ stat: PathStat | null; content: AsyncIterable<Buffer> }> {
    const begun = Promise.withResolvers<PathStat | null>();
    const asked = Promise.withResolvers<void>();
    const ended = new AbortController();
    const either = AbortSignal.any([signal, ended.signal]);
    const pieces = Promise.withResolvers<Running>();
    // The job holds its process until its content has been read.
    const whole = this.#with(job, either, async (running) => {
      begun.resolve(await running.begun);
      pieces.resolve(running);
      await asked.promise;
    });
    whole.catch((error: unknown) => {
      begun.reject(error);
      pieces.reject(error);
    });
    pieces.promise.catch(() => undefined);
    const stat = await begun.promise;
    async function* content(): AsyncGenerator<Buffer, void, void> {
      const running = await pieces.promise;
      const { output } = running;
      // A failure ends the waiting for bytes. The end of the job is told beside them and may come before the last.
      running.done.then(
        (result) => output.end(result.is === 'sent' ? result.sizeBytes : 0),
        (error: unknown) => output.fail(error),
      );
      whole.catch((error: unknown) => output.fail(error));
      let isRead = false;
      try {
        for (let bytes = await output.next(); bytes !== null; bytes = await output.next()) {
          running.touch();
          yield bytes;
        }
        await running.done;
        isRead = true;
      } finally {
        if (!isRead) ended.abort(internal('the archive was not read to its end'));
        asked.resolve();
        await Promise.allSettled([whole]);
      }
    }
    return { stat, content: content() };
  }

  async #with<T>(job: TreeJob, signal: AbortSignal, use: (running: Running) => Promise<T>): Promise<T> {
    let running: Running | null = null;
    return await this.#pool.run(
      async (process) => {
        const started = this.#start(process, job, signal);
        running = started;
        const result = await Promise.race([use(started), aborted(signal)]);
        await started.done;
        return result;
      },
      signal,
      () => running?.isRefused() ?? false,
    );
  }

  #start(worker: WorkerProcess, job: TreeJob, signal: AbortSignal): Running {
    const begun = Promise.withResolvers<PathStat | null>();
    const done = Promise.withResolvers<TreeResult>();
    let stall: NodeJS.Timeout | null = null;
    let state: 'new' | 'begun' | 'refused' = 'new';
    let isOver = false;
    const end = (): void => {
      isOver = true;
      clearTimeout(stall ?? undefined);
    };
    const fail = (error: Error): void => {
      end();
      begun.reject(error);
      done.reject(error);
    };
    const touch = (): void => {
      if (isOver) return;
      clearTimeout(stall ?? undefined);
      stall = setTimeout(
        () => fail(internal(`${job.verb} gave no sign of life for ${this.#stallMs} ms`)),
        this.#stallMs,
      );
    };
    for (const promise of [begun.promise, done.promise]) promise.catch(() => undefined);
    signal.addEventListener('abort', () => fail(reasonOf(signal)), { once: true });
    worker.listen((message) => {
      const report = message as TreeReport; // from our own program, of the same build
      switch (report.kind) {
        case 'begun':
          touch();
          state = 'begun';
          return begun.resolve(report.stat);
        case 'done':
          end();
          return done.resolve(report.result);
        case 'failed':
          if (state === 'new') state = 'refused';
          return fail(errorOf(report));
      }
    }, fail);
    touch();
    worker.send(job);
    const output = new JobOutput(worker.output, 'fleeting');
    return { worker, output, begun: begun.promise, done: done.promise, touch, isRefused: () => state === 'refused' };
  }
}

function errorOf({ error, message, cause }: Extract<TreeReport, { kind: 'failed' }>): EngineError {
  if (cause === null) return new EngineError(error, message);
  return new EngineError(error, message, { cause: Object.assign(new Error(message), { code: 'ENOSPC' }) });
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(reasonOf(signal));
    else signal.addEventListener('abort', () => reject(reasonOf(signal)), { once: true });
  });
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : internal('given up');
}
