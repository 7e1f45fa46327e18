/**
 * Blobs on their way from registries into the content store. Who wants a blob that is coming already joins that download; it is given up
 * when the last of them has left, and what is there by then is kept for the next try (`content.ingest`).
 */
import type { Blob, Content, Ingest } from '../content/content.ts';
import { gathered } from '../content/gathered.ts';
import type { GrowingFile } from '../content/growth.ts';
import { trimMalloc } from '../kernel/malloc.ts';
import { EngineError, internal, invalid } from '../model/errors.ts';
import type { Digest } from '../model/ids.ts';
import type { Repository } from '../registry/registry.ts';
import { Turns } from './turns.ts';

/** `queued`: nobody knows yet whether it has to wait for its turn. */
export type DownloadState = 'queued' | 'waiting' | 'downloading' | 'verifying' | 'complete';

export interface DownloadListener {
  readonly onState: (state: DownloadState) => void;
  readonly onProgress: (currentBytes: number) => void;
  /** Before a wait, after which a failed step is tried again. */
  readonly onWait?: (ms: number) => void;
}

export interface WantedBlob extends DownloadListener {
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** Where this one may fetch it from: others who join bring their own. */
  readonly repository: Repository;
}

/** One's share in a download. Disposing leaves it. */
export interface Download extends Disposable {
  /** What an unpack may follow. Rejects as `done` does. */
  readonly file: Promise<GrowingFile>;
  /** The same, as soon as it is there; null before. */
  readonly opened: () => GrowingFile | null;
  readonly done: Promise<Blob>;
}

/** What an earlier try had left was not what it should have been. It is gone: the next try begins at 0. */
export class SpoiltRemains extends EngineError {
  constructor(digest: Digest, cause: unknown) {
    super('internal', `what was there of ${digest} from an earlier try is broken`, { cause });
  }
}

/** After so many, memory is given back: it takes a millisecond. */
const trimmedBytes = 8 * 1024 * 1024;

interface Running {
  readonly file: Promise<GrowingFile>;
  readonly done: Promise<Blob>;
  readonly abort: AbortController;
  readonly wishes: Set<WantedBlob>;
  opened: GrowingFile | null;
  state: DownloadState;
}

export class Downloads {
  readonly #content: Content;
  readonly #turns: Turns;
  readonly #running = new Map<Digest, Running>();
  #untrimmedBytes = 0;

  /** `most`: downloads at a time, of all pulls together. */
  constructor(parts: { readonly content: Content; readonly most: number }) {
    this.#content = parts.content;
    this.#turns = new Turns(parts.most);
  }

  /** The one who asks gets the state that the download is in, then each change. */
  join(wish: WantedBlob): Download {
    const known = this.#running.get(wish.digest);
    const running = known === undefined || known.abort.signal.aborted ? this.#begin(wish) : known;
    running.wishes.add(wish);
    wish.onState(running.state);
    return {
      file: running.file,
      opened: () => running.opened,
      done: running.done,
      [Symbol.dispose]: () => {
        if (!running.wishes.delete(wish) || running.wishes.size > 0) return;
        running.abort.abort(internal(`nobody waits for ${wish.digest} any more`));
      },
    };
  }

  #begin({ digest, sizeBytes }: WantedBlob): Running {
    const abort = new AbortController();
    const { promise: file, resolve, reject } = Promise.withResolvers<GrowingFile>();
    const wishes = new Set<WantedBlob>();
    // Begun in the next round, when the first wish stands in the set.
    const done = Promise.resolve()
      .then(() => this.#run({ digest, sizeBytes, running, onOpen: resolve }))
      .finally(() => {
        if (this.#running.get(digest) === running) this.#running.delete(digest);
      });
    const running: Running = { file, done, abort, wishes, opened: null, state: 'queued' };
    // Whoever waits hears of a failure; nobody may be waiting any more.
    file.catch(() => undefined);
    done.catch(reject);
    this.#running.set(digest, running);
    return running;
  }

  async #run(work: {
    readonly digest: Digest;
    readonly sizeBytes: number;
    readonly running: Running;
    readonly onOpen: (file: GrowingFile) => void;
  }): Promise<Blob> {
    const { digest, sizeBytes, running } = work;
    const { signal } = running.abort;
    // Opened before its turn comes: an unpack may be told of it, and waits for its bytes.
    await using ingest = await this.#content.ingest({ digest, sizeBytes, signal });
    running.opened = ingest;
    work.onOpen(ingest);
    const keptBytes = ingest.offset;
    if (keptBytes !== sizeBytes) {
      if (!this.#turns.isFree) tellState(running, 'waiting');
      using _turn = await this.#turns.take(signal);
      tellState(running, 'downloading');
      await this.#fetch(ingest, { digest, sizeBytes, running });
    }
    tellState(running, 'verifying');
    try {
      const blob = await ingest.commit();
      this.#trim(sizeBytes);
      tellState(running, 'complete');
      return blob;
    } catch (error) {
      if (keptBytes > 0 && error instanceof EngineError && error.kind === 'invalid')
        throw new SpoiltRemains(digest, error);
      throw error;
    }
  }

  /** Thousands of chunks went through: the C library would keep what they lay in. */
  #trim(sizeBytes: number): void {
    this.#untrimmedBytes += sizeBytes;
    if (this.#untrimmedBytes < trimmedBytes) return;
    this.#untrimmedBytes = 0;
    trimMalloc();
  }

  /** From the repository of one who waits; when that fails, from another's: one who may not read it there spoils nobody else's download. */
  async #fetch(
    ingest: Ingest,
    work: { readonly digest: Digest; readonly sizeBytes: number; readonly running: Running },
  ): Promise<void> {
    const { digest, sizeBytes, running } = work;
    const { signal } = running.abort;
    const tried = new Set<Repository>();
    let failure: unknown = null;
    for (;;) {
      const next = [...running.wishes].map(({ repository }) => repository).find((one) => !tried.has(one));
      if (next === undefined) {
        signal.throwIfAborted();
        throw failure ?? internal(`nobody waits for ${digest} any more`);
      }
      tried.add(next);
      try {
        const tell = (bytes: number): void => tellBytes(running, bytes);
        const onWait = (ms: number): void => tellWait(running, ms);
        await copy({ repository: next, ingest, digest, sizeBytes, signal, tell, onWait });
        return;
      } catch (error) {
        signal.throwIfAborted();
        failure = error;
      }
    }
  }
}

async function copy(work: {
  readonly repository: Repository;
  readonly ingest: Ingest;
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly signal: AbortSignal;
  readonly tell: (bytes: number) => void;
  readonly onWait: (ms: number) => void;
}): Promise<void> {
  const { repository, ingest, digest, sizeBytes, signal, tell, onWait } = work;
  const remote = await repository.blob(digest, { offset: ingest.offset, signal, onWait });
  if (remote.sizeBytes !== null && remote.sizeBytes !== sizeBytes) {
    throw invalid(`the registry has ${remote.sizeBytes} bytes of ${digest}, but the manifest says ${sizeBytes}`);
  }
  // The registry knows no ranges: the same bytes come again.
  if (remote.offset === 0 && ingest.offset > 0) await ingest.restart();
  for await (const chunk of gathered(remote.bytes)) {
    signal.throwIfAborted();
    await ingest.write(chunk);
    tell(ingest.offset);
  }
  if (ingest.offset !== sizeBytes)
    throw invalid(`the registry sent ${ingest.offset} bytes of ${digest}, but the manifest says ${sizeBytes}`);
}

function tellState(running: Running, state: DownloadState): void {
  running.state = state;
  for (const wish of running.wishes) wish.onState(state);
}

function tellBytes(running: Running, bytes: number): void {
  for (const wish of running.wishes) wish.onProgress(bytes);
}

function tellWait(running: Running, ms: number): void {
  for (const wish of running.wishes) wish.onWait?.(ms);
}
