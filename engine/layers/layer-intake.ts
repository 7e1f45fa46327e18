/**
 * How layers come in. All of a stack are unpacked side by side, each into a folder of its own; when those below it are
 * finished, what needs them is done; then each gets its row, bottom first, marked until it is on the disk. One write-out serves all of them.
 * One layer is unpacked once, whoever asks, and the work is given up when all who asked have.
 */
import { randomBytes } from 'node:crypto';
import { constants, openSync, rmSync } from 'node:fs';
import path from 'node:path';
import { heldDirectory } from '../kernel/files.ts';
import { removeTree } from '../kernel/remove-tree.ts';
import { internal } from '../model/errors.ts';
import type { ChainId } from '../model/ids.ts';
import { isDiskFull } from '../store/disk-reserve.ts';
import type { WriteOut } from '../store/write-out.ts';
import { doLateWork, type LateWork } from './apply/late-work.ts';
import {
  type AddOptions,
  chainIdOn,
  chainIds,
  type IncomingLayer,
  lateWorkFile,
  type Layer,
  type NewLayer,
  recipeOfFolder,
  type WriteLayer,
} from './layer.ts';
import type { FinishJob, LayerSource, UnpackWorkers } from './unpack-workers.ts';

/** A layer that is being unpacked, for everyone who waits for it. */
interface InFlight {
  readonly parent: ChainId | null;
  readonly folder: string;
  /** Its folder is what it will be: layers above can be finished. */
  readonly finished: Promise<void>;
  /** It has its row. */
  readonly done: Promise<void>;
  readonly abort: AbortController;
  readonly listeners: Set<(readBytes: number) => void>;
}

type Completed = Pick<Layer, 'diffId' | 'sizeBytes' | 'recipeBytes' | 'tarBytes'>;

export class LayerIntake {
  readonly #workers: UnpackWorkers;
  readonly #root: string;
  readonly #directory: number;
  readonly #find: (chainId: ChainId) => Layer | null;
  readonly #publish: (layer: Layer) => void;
  readonly #spare: () => Promise<number>;
  readonly #writeOut: WriteOut;
  readonly #inFlight = new Map<ChainId, InFlight>();

  /** `root`: absolute, the folder of all layers; `directory`: the same, open. `publish` gives a layer its row, `spare` makes room on a full disk. */
  constructor(parts: {
    readonly workers: UnpackWorkers;
    readonly root: string;
    readonly directory: number;
    readonly find: (chainId: ChainId) => Layer | null;
    readonly publish: (layer: Layer) => void;
    readonly spare: () => Promise<number>;
    readonly writeOut: WriteOut;
  }) {
    this.#workers = parts.workers;
    this.#root = parts.root;
    this.#directory = parts.directory;
    this.#find = parts.find;
    this.#publish = parts.publish;
    this.#spare = parts.spare;
    this.#writeOut = parts.writeOut;
  }

  /** See `LayerStore.add`. */
  async add(layers: readonly IncomingLayer[], options: AddOptions): Promise<ChainId | null> {
    const chain = chainIds(layers.map(({ diffId }) => diffId));
    const waits: Promise<void>[] = [];
    const leaving: (() => void)[] = [];
    try {
      for (const [index, layer] of layers.entries()) {
        const chainId = chain[index];
        if (chainId === undefined) break;
        // One that its last reader has given up must be gone before it can begin anew.
        while (this.#inFlight.get(chainId)?.abort.signal.aborted === true)
          await settled(this.#inFlight.get(chainId)?.done);
        options.signal.throwIfAborted();
        if (this.#find(chainId) !== null) continue;
        const job = this.#inFlight.get(chainId) ?? this.#begin({ layer, chainId, parent: chain[index - 1] ?? null });
        leaving.push(this.#join(job, layer, options));
        waits.push(job.done.then(() => options.onAdded?.(chainId)));
      }
      const onAbort = (): void => leaving.forEach((leave) => leave());
      options.signal.addEventListener('abort', onAbort, { once: true });
      try {
        await Promise.all(waits);
        await options.onUnpacked?.();
        if (options.durability !== 'soon') await this.#writeOut.settled();
      } finally {
        options.signal.removeEventListener('abort', onAbort);
      }
      options.signal.throwIfAborted();
      return chain.at(-1) ?? null;
    } finally {
      leaving.forEach((leave) => leave());
      // A job may go on for someone else, and may be reading what our caller is about to delete.
      await Promise.allSettled(waits);
    }
  }

  /** See `LayerStore.addNew`. `onKnown`: from now on the layer is called so; what it returns ends with the work. */
  async addNew(
    what: {
      readonly parent: ChainId | null;
      readonly layer: NewLayer;
      readonly onKnown: (chainId: ChainId) => void;
    },
    signal: AbortSignal,
  ): Promise<ChainId> {
    const { parent, layer } = what;
    const folder = this.#newFolder();
    try {
      const unpacked = await this.#complete(
        { parent, folder, write: this.#writing(layer) },
        { signal, below: null, onRead: 'onRead' in layer ? layer.onRead : () => undefined },
      );
      const chainId = chainIdOn(parent, unpacked.diffId);
      what.onKnown(chainId);
      await this.#writeOut.reach();
      signal.throwIfAborted();
      // The same layer may be on its way from elsewhere.
      while (this.#inFlight.has(chainId)) await settled(this.#inFlight.get(chainId)?.done);
      if (this.#find(chainId) === null) this.#publish({ ...unpacked, chainId, parent, folder });
      else await this.#clear(folder);
      return chainId;
    } catch (error) {
      await this.#clear(folder);
      throw error;
    }
  }

  #begin(what: { layer: IncomingLayer; chainId: ChainId; parent: ChainId | null }): InFlight {
    const { layer, chainId, parent } = what;
    const abort = new AbortController();
    const listeners = new Set<(readBytes: number) => void>();
    const finished = Promise.withResolvers<void>();
    const folder = this.#newFolder();
    const below = parent === null ? null : (this.#inFlight.get(parent) ?? null);
    const onProgress = (readBytes: number): void => listeners.forEach((listener) => listener(readBytes));
    const run = async (): Promise<void> => {
      const { signal } = abort;
      try {
        const onRead = (): void => onProgress(totalBytesOf(layer.source));
        const write: WriteLayer = (target) => this.#workers.unpack({ ...layer, ...target, onProgress }, signal);
        const unpacked = await this.#complete({ parent, folder, write }, { signal, below, onRead });
        finished.resolve();
        await below?.done;
        signal.throwIfAborted();
        this.#publish({ ...unpacked, chainId, parent, folder });
      } catch (error) {
        finished.reject(error);
        await this.#clear(folder);
        throw error;
      } finally {
        this.#inFlight.delete(chainId);
      }
    };
    // Whoever waits hears of a failure; nobody may be waiting any more.
    finished.promise.catch(() => undefined);
    const started = Promise.withResolvers<void>();
    const done = started.promise.then(run);
    done.catch(() => undefined);
    const job = { parent, folder, finished: finished.promise, done, abort, listeners };
    this.#inFlight.set(chainId, job);
    started.resolve();
    return job;
  }

  /** Returns how to leave: the last one to leave ends the work. */
  #join(job: InFlight, layer: IncomingLayer, options: AddOptions): () => void {
    const { diffId, source } = layer;
    const listener = (readBytes: number): void =>
      options.onProgress({ diffId, readBytes, totalBytes: totalBytesOf(source) });
    job.listeners.add(listener);
    return () => {
      if (job.listeners.delete(listener) && job.listeners.size === 0) job.abort.abort(internal('given up'));
    };
  }

  /** Folder and recipe are complete when this resolves, though not on the disk. */
  async #complete(
    what: { readonly parent: ChainId | null; readonly folder: string; readonly write: WriteLayer },
    control: { readonly signal: AbortSignal; readonly below: InFlight | null; readonly onRead: () => void },
  ): Promise<Completed> {
    const { parent, folder, write } = what;
    const { signal, below, onRead } = control;
    const target = { folder, recipe: recipeOfFolder(folder) };
    const unpacked = await write(target, signal).catch(async (error: unknown) => {
      await this.#clear(folder);
      if (!isDiskFull(error) || (await this.#spare()) === 0) throw error;
      return await write(target, signal);
    });
    onRead();
    await below?.finished;
    const { diffId, sizeBytes, recipeBytes, tarBytes, work } = unpacked;
    const copiedBytes = await this.#finish({ diffId, folder, lowers: this.#lowers(parent) }, { work, signal });
    return { diffId, sizeBytes: sizeBytes + copiedBytes, recipeBytes, tarBytes };
  }

  #writing(layer: NewLayer): WriteLayer {
    if ('write' in layer) return layer.write;
    const { source } = layer;
    const job = { source, blobDigest: null, diffId: null, onProgress: () => undefined };
    return (target, signal) => this.#workers.unpack({ ...job, ...target }, signal);
  }

  /** Folders of a layer and all below it, topmost first; each of them is finished. */
  #lowers(top: ChainId | null): readonly string[] {
    const folders: string[] = [];
    for (let next = top; next !== null;) {
      const layer = this.#inFlight.get(next) ?? this.#find(next);
      if (layer === null) throw internal(`layer ${next} is missing from the store`);
      folders.push(layer.folder);
      next = layer.parent;
    }
    return folders;
  }

  /** Nearly always there is only the look of the root to take from below: no matter for another process. */
  async #finish(
    job: FinishJob,
    { work, signal }: { readonly work: LateWork | 'much'; readonly signal: AbortSignal },
  ): Promise<number> {
    signal.throwIfAborted();
    if (work === 'much') return (await this.#workers.finish(job, signal)).copiedBytes;
    using root = heldDirectory(openSync(job.folder, constants.O_DIRECTORY));
    return doLateWork(root.fd, work, job.lowers);
  }

  /** Short, since older kernels take all folders of an overlay in one page of options. */
  #newFolder(): string {
    return path.join(this.#root, randomBytes(8).toString('hex'));
  }

  /** What is left of a layer that came to nothing. */
  async #clear(folder: string): Promise<void> {
    for (const file of [recipeOfFolder(folder), lateWorkFile(folder)]) rmSync(file, { force: true });
    await removeTree(this.#directory, path.basename(folder));
  }
}

/** What is there so far, where nobody told how much it will be. */
function totalBytesOf(source: LayerSource): number {
  return 'growth' in source ? (source.sizeBytes ?? source.growth.availableBytes) : source.sizeBytes;
}

async function settled(work: Promise<void> | undefined): Promise<void> {
  await Promise.allSettled([work]);
}
