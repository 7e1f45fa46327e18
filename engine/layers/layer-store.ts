/**
 * Layers: folders that overlays are mounted from, known by what is in them and below them (their chain id). A layer is
 * unpacked into `tmp-…`, written to the disk, renamed, and then gets its row: what has no row is not there. It stays for
 * as long as an image, a container's root, a layer above it or a *hold* needs it.
 */
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, constants, fsync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Content } from '../content/content.ts';
import type { Log } from '../diagnostics/log.ts';
import { removeTree } from '../kernel/remove-tree.ts';
import { conflict, internal, notFound } from '../model/errors.ts';
import { type ChainId, type DiffId, type Digest, hexOf, parseChainId, parseDigest } from '../model/ids.ts';
import type { Database } from '../store/database.ts';
import type { LayerTar, LayerTars } from './layer-tars.ts';
import type { Packing } from './tar-protocol.ts';
import type { LayerSource, UnpackWorkers } from './unpack-workers.ts';

export interface Layer {
  readonly chainId: ChainId;
  readonly diffId: DiffId;
  /** Null for the bottom layer of a stack. */
  readonly parent: ChainId | null;
  /** Absolute. */
  readonly folder: string;
  /** Of the files that this layer adds. */
  readonly sizeBytes: number;
  /** Of the file beside the folder; null: an older engine unpacked it, and kept none. */
  readonly recipeBytes: number | null;
  /** Of its tar, uncompressed; null: an older engine unpacked it, and did not count. */
  readonly tarBytes: number | null;
}

/** A layer that comes in. */
export interface IncomingLayer {
  readonly diffId: DiffId;
  /** A growing one is followed: what is there is unpacked while the rest comes. When its growth fails, so does `add`. */
  readonly source: LayerSource;
  /** Of the source as it is, compressed or not; null when nobody told one, or somebody else checks it. */
  readonly blobDigest: Digest | null;
}

export interface AddOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: {
    readonly diffId: DiffId;
    readonly readBytes: number;
    readonly totalBytes: number;
  }) => void;
  /** A layer that was not there is complete: once each, in the order in which they end. */
  readonly onAdded?: (chainId: ChainId) => void;
}

/** A layer that is being unpacked, for everyone who waits for it: it is given up only when all of them have. */
interface InFlight {
  readonly done: Promise<void>;
  readonly abort: AbortController;
  readonly listeners: Set<(readBytes: number) => void>;
}

const temporary = 'tmp-';
const recipeEnding = '.recipe';

export class LayerStore {
  readonly #database: Database;
  readonly #workers: UnpackWorkers;
  readonly #log: Log;
  readonly #tars: LayerTars;
  readonly #content: Pick<Content, 'collect' | 'findOf'>;
  readonly #root: string;
  readonly #directory: number;
  readonly #inFlight = new Map<ChainId, InFlight>();
  readonly #holds = new Map<ChainId, number>();

  constructor(parts: {
    readonly database: Database;
    readonly dataRoot: string;
    readonly workers: UnpackWorkers;
    readonly tars: LayerTars;
    /** Blobs of layers: collected with them, and read where there is no recipe. */
    readonly content: Pick<Content, 'collect' | 'findOf'>;
    readonly log: Log;
  }) {
    this.#database = parts.database;
    this.#workers = parts.workers;
    this.#log = parts.log;
    this.#tars = parts.tars;
    this.#content = parts.content;
    this.#root = path.join(parts.dataRoot, 'layers');
    mkdirSync(this.#root, { recursive: true, mode: 0o700 });
    this.#directory = openSync(this.#root, constants.O_DIRECTORY);
  }

  [Symbol.dispose](): void {
    closeSync(this.#directory);
  }

  find(chainId: ChainId): Layer | null {
    const row = this.#database.sql.prepare('SELECT * FROM layers WHERE chain_id = ?').get(chainId);
    return row === undefined ? null : this.#layerOf(row);
  }

  /** A layer and all below it, topmost first; empty for null. Throws `internal` for a stack with a hole. */
  stack(top: ChainId | null): readonly Layer[] {
    const layers: Layer[] = [];
    for (let next = top; next !== null;) {
      const layer = this.find(next);
      if (layer === null) throw internal(`layer ${next} is missing from the store`);
      layers.push(layer);
      next = layer.parent;
    }
    return layers;
  }

  /**
   * Adds a stack, bottom first; layers that are there already are not read. All are unpacked side by side. When it rejects,
   * no work of it goes on; layers that were complete stay until `collect`. Hold the chain ids (`hold`) until an image
   * needs them. Throws `invalid` for a broken layer.
   */
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
        if (this.find(chainId) !== null) continue;
        const job = this.#inFlight.get(chainId) ?? this.#begin({ layer, chainId, parent: chain[index - 1] ?? null });
        leaving.push(this.#join(job, layer, options));
        waits.push(job.done.then(() => options.onAdded?.(chainId)));
      }
      const onAbort = (): void => leaving.forEach((leave) => leave());
      options.signal.addEventListener('abort', onAbort, { once: true });
      try {
        await Promise.all(waits);
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

  /**
   * Adds a layer whose digest nobody knows yet, on top of one that is there and held. `onRead`: all of the source was read.
   * The layer is held until what is returned is disposed. Throws `invalid` for a broken one.
   */
  async addNew(
    what: { readonly parent: ChainId | null; readonly source: LayerSource; readonly onRead: () => void },
    signal: AbortSignal,
  ): Promise<Disposable & { readonly layer: Layer }> {
    const { parent, source, onRead } = what;
    const name = `${temporary}${randomBytes(8).toString('hex')}`;
    const unpacked = await this.#workers.unpack(
      {
        source,
        blobDigest: null,
        diffId: null,
        folder: path.join(this.#root, name),
        recipe: path.join(this.#root, recipeName(name)),
        lowers: async () => {
          onRead();
          return this.stack(parent).map(({ folder }) => folder);
        },
        onProgress: () => undefined,
      },
      signal,
    );
    const chainId = chainIdOn(parent, unpacked.diffId);
    const hold = this.hold([chainId]);
    try {
      // The same layer may be on its way from elsewhere.
      while (this.#inFlight.has(chainId)) await settled(this.#inFlight.get(chainId)?.done);
      if (this.find(chainId) === null) await this.#publishAlone({ chainId, parent, ...unpacked }, name);
      else await removeTree(this.#directory, this.#setAside(name));
      return { layer: this.#found(chainId), [Symbol.dispose]: () => hold[Symbol.dispose]() };
    } catch (error) {
      hold[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * The layer's tar again, byte for byte, packed as asked. Hold the layer meanwhile. Throws `not-found` for a layer that is
   * not there, `conflict` for one of an older engine whose tar was not kept.
   */
  tarOf(chainId: ChainId, options: { readonly packing?: Packing; readonly signal: AbortSignal }): LayerTar {
    const { diffId, folder } = this.#found(chainId);
    const { packing = { kind: 'none' }, signal } = options;
    const recipe = this.recipeFile(chainId);
    if (recipe !== null) return this.#tars.stream({ from: { folder, recipe }, diffId, packing }, signal);
    const blob = this.#content.findOf(diffId)[0];
    if (blob === undefined) {
      throw conflict(
        `layer ${diffId} was unpacked by an older version of Skiff, which did not keep what is needed to write it again: pull or load its image anew`,
      );
    }
    return this.#tars.stream({ from: { blob: blob.file }, diffId, packing }, signal);
  }

  /** What a compressed file holds, of every compression that layers have: inflated in a process of its own. Throws `internal` for one that is broken. */
  inflated(file: string, signal: AbortSignal): AsyncIterable<Buffer> {
    return this.#tars.stream({ from: { blob: file }, diffId: null, packing: { kind: 'none' } }, signal).bytes;
  }

  /** Absolute path of the file that `recipeEntries` reads the layer's entries from; null for one of an older engine. */
  recipeFile(chainId: ChainId): string | null {
    const { folder, recipeBytes } = this.#found(chainId);
    return recipeBytes === null ? null : recipeName(folder);
  }

  /** While a hold is there, these layers and all below them are not collected. */
  hold(chain: readonly ChainId[]): Disposable {
    for (const chainId of chain) this.#holds.set(chainId, (this.#holds.get(chainId) ?? 0) + 1);
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        for (const chainId of chain) {
          const left = (this.#holds.get(chainId) ?? 1) - 1;
          if (left === 0) this.#holds.delete(chainId);
          else this.#holds.set(chainId, left);
        }
      },
    };
  }

  /** Removes every layer that nothing needs. Returns them, topmost first; their folders are gone when this resolves. */
  async collect(): Promise<readonly ChainId[]> {
    const removed: ChainId[] = [];
    const trash: string[] = [];
    for (let layer = this.#needless(); layer !== null; layer = this.#needless()) {
      this.#database.sql.prepare('DELETE FROM layers WHERE chain_id = ?').run(layer.chainId);
      trash.push(this.#setAside(path.basename(layer.folder)));
      removed.push(layer.chainId);
    }
    for (const name of trash) await removeTree(this.#directory, name);
    if (removed.length > 0) await this.#content.collect();
    return removed;
  }

  /** At boot: deletes what an interrupted engine left, folders without a row and layers that nothing needs. */
  async collectGarbage(): Promise<void> {
    const known = new Set(
      this.#database.sql
        .prepare('SELECT folder FROM layers')
        .all()
        .map((row) => String(row['folder'])),
    );
    for (const name of readdirSync(this.#root)) {
      if (known.has(name) || known.has(path.basename(name, recipeEnding))) continue;
      this.#log.info('removing an unfinished layer', { folder: name });
      await removeTree(this.#directory, name);
    }
    const removed = await this.collect();
    if (removed.length > 0) this.#log.info('removed layers that nothing needs', { layers: removed });
    else await this.#content.collect(); // what an unfinished pull left, when it has become old
  }

  #begin(what: { layer: IncomingLayer; chainId: ChainId; parent: ChainId | null }): InFlight {
    const abort = new AbortController();
    const listeners = new Set<(readBytes: number) => void>();
    const done = this.#unpack(what, { abort, listeners }).finally(() => this.#inFlight.delete(what.chainId));
    // Whoever waits hears of a failure; nobody may be waiting any more.
    done.catch(() => undefined);
    const job = { done, abort, listeners };
    this.#inFlight.set(what.chainId, job);
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

  #found(chainId: ChainId): Layer {
    const layer = this.find(chainId);
    if (layer === null) throw notFound(`No such layer: ${chainId}`);
    return layer;
  }

  async #unpack(
    what: { layer: IncomingLayer; chainId: ChainId; parent: ChainId | null },
    control: { abort: AbortController; listeners: Set<(readBytes: number) => void> },
  ): Promise<void> {
    const { layer, chainId, parent } = what;
    const name = `${temporary}${randomBytes(8).toString('hex')}`;
    const below = parent === null ? null : (this.#inFlight.get(parent)?.done ?? null);
    const tell = (readBytes: number): void => control.listeners.forEach((listener) => listener(readBytes));
    const { sizeBytes, recipeBytes, tarBytes } = await this.#workers.unpack(
      {
        ...layer,
        folder: path.join(this.#root, name),
        recipe: path.join(this.#root, recipeName(name)),
        lowers: async () => {
          await below;
          return this.stack(parent).map(({ folder }) => folder);
        },
        onProgress: tell,
      },
      control.abort.signal,
    );
    tell(totalBytesOf(layer.source));
    await this.#publish({ chainId, diffId: layer.diffId, parent, sizeBytes, recipeBytes, tarBytes }, name);
  }

  /** While nobody else can bring the same layer. */
  async #publishAlone(layer: Omit<Layer, 'folder'>, unpacked: string): Promise<void> {
    const done = this.#publish(layer, unpacked).finally(() => this.#inFlight.delete(layer.chainId));
    done.catch(() => undefined);
    this.#inFlight.set(layer.chainId, { done, abort: new AbortController(), listeners: new Set() });
    await done;
  }

  /** Bytes of the layer's tar, uncompressed: needed before it is written into another archive. */
  async tarBytes(chainId: ChainId, signal: AbortSignal): Promise<number> {
    const known = this.#found(chainId).tarBytes;
    if (known !== null) return known;
    const tar = this.tarOf(chainId, { signal });
    for await (const _ of tar.bytes); // counted
    return tar.result().sizeBytes;
  }

  /** One rename, then the row: until then nobody finds it, and after a crash between the two it is a folder without a row. */
  async #publish(layer: Omit<Layer, 'folder'>, unpacked: string): Promise<void> {
    const folder = folderName(layer.chainId);
    renameSync(path.join(this.#root, recipeName(unpacked)), path.join(this.#root, recipeName(folder)));
    renameSync(path.join(this.#root, unpacked), path.join(this.#root, folder));
    try {
      await promisify(fsync)(this.#directory);
      this.#database.sql
        .prepare(
          'INSERT INTO layers (chain_id, diff_id, parent, folder, size_bytes, recipe_bytes, tar_bytes) VALUES (?, ?, ?, ?, ?, ?, ?)',
        )
        .run(layer.chainId, layer.diffId, layer.parent, folder, layer.sizeBytes, layer.recipeBytes, layer.tarBytes);
    } catch (error) {
      this.#setAside(folder); // the next boot deletes it
      throw error;
    }
  }

  /** A folder whose row is gone gets out of the way at once, so that the same layer can come again. */
  #setAside(name: string): string {
    const aside = `${temporary}${randomBytes(8).toString('hex')}`;
    rmSync(path.join(this.#root, recipeName(name)), { force: true });
    renameSync(path.join(this.#root, name), path.join(this.#root, aside));
    return aside;
  }

  #needless(): Layer | null {
    const rows = this.#database.sql
      .prepare(
        `SELECT * FROM layers AS layer
          WHERE NOT EXISTS (SELECT 1 FROM images WHERE top_layer = layer.chain_id)
            AND NOT EXISTS (SELECT 1 FROM roots WHERE top_layer = layer.chain_id)
            AND NOT EXISTS (SELECT 1 FROM image_mounts WHERE top_layer = layer.chain_id)
            AND NOT EXISTS (SELECT 1 FROM layers AS child WHERE child.parent = layer.chain_id)`,
      )
      .all();
    for (const row of rows) {
      const layer = this.#layerOf(row);
      if (!this.#holds.has(layer.chainId)) return layer;
    }
    return null;
  }

  #layerOf(row: Readonly<Record<string, unknown>>): Layer {
    const parent = row['parent'];
    return {
      chainId: parseChainId(String(row['chain_id'])),
      diffId: parseDigest(String(row['diff_id'])),
      parent: typeof parent === 'string' ? parseChainId(parent) : null,
      folder: path.join(this.#root, String(row['folder'])),
      sizeBytes: Number(row['size_bytes']),
      recipeBytes: row['recipe_bytes'] === null ? null : Number(row['recipe_bytes']),
      tarBytes: row['tar_bytes'] === null ? null : Number(row['tar_bytes']),
    };
  }
}

/** Source: OCI image spec, "Layer ChainID". Bottom first, one for each diff id. */
export function chainIds(diffIds: readonly DiffId[]): readonly ChainId[] {
  const chain: ChainId[] = [];
  for (const diffId of diffIds) chain.push(chainIdOn(chain.at(-1) ?? null, diffId));
  return chain;
}

function chainIdOn(below: ChainId | null, diffId: DiffId): ChainId {
  return parseChainId(
    below === null ? diffId : `sha256:${createHash('sha256').update(`${below} ${diffId}`).digest('hex')}`,
  );
}

/** Beside the folder. */
function recipeName(folder: string): string {
  return `${folder}${recipeEnding}`;
}

/** Short, since older kernels take all folders of an overlay in one page of options. */
function folderName(chainId: ChainId): string {
  return hexOf(chainId).slice(0, 16);
}

/** What is there so far, where nobody told how much it will be. */
function totalBytesOf(source: LayerSource): number {
  return 'growth' in source ? (source.sizeBytes ?? source.growth.availableBytes) : source.sizeBytes;
}

async function settled(work: Promise<void> | undefined): Promise<void> {
  await Promise.allSettled([work]);
}
