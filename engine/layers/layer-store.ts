/**
 * Layers: folders that overlays are mounted from, known by what is in them and below them (their chain id). A layer is
 * unpacked into its folder and then gets its row: what has no row is not there. Until it is on the disk the row has a
 * mark, see `store/write-out.ts`. It stays for as long as an image, a container's root, a layer above it or a *hold* needs it.
 */
import { closeSync, constants, mkdirSync, openSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { StatementSync } from 'node:sqlite';
import type { Content } from '../content/content.ts';
import type { Log } from '../diagnostics/log.ts';
import type { Pieces } from '../kernel/job-output.ts';
import { removeTree } from '../kernel/remove-tree.ts';
import { conflict, internal, notFound } from '../model/errors.ts';
import { type ChainId, parseChainId, parseDigest } from '../model/ids.ts';
import type { Database } from '../store/database.ts';
import { type DiskReserve, isDiskFull } from '../store/disk-reserve.ts';
import type { Settle, WriteOut } from '../store/write-out.ts';
import {
  type AddOptions,
  type IncomingLayer,
  type Layer,
  type NewLayer,
  recipeEnding,
  recipeOfFolder,
} from './layer.ts';
import { LayerIntake } from './layer-intake.ts';
import type { LayerTar, LayerTars } from './layer-tars.ts';
import type { Packing } from './tar-protocol.ts';
import type { UnpackWorkers } from './unpack-workers.ts';

/** Recipes of a thousand files, or of a few thousand: removing them takes longer than starting a process. */
const manyFiles = 64 * 1024;

export { type AddOptions, chainIds, type IncomingLayer, type Layer, type WriteLayer } from './layer.ts';

export class LayerStore {
  readonly #database: Database;
  readonly #log: Log;
  readonly #reserve: Pick<DiskReserve, 'around'>;
  readonly #tars: LayerTars;
  readonly #content: Pick<Content, 'collect' | 'findOf'>;
  readonly #findRow: StatementSync;
  readonly #root: string;
  readonly #directory: number;
  readonly #intake: LayerIntake;
  readonly #workers: UnpackWorkers;
  readonly #writeOut: WriteOut;
  readonly #reach: (point: string) => void;
  readonly #holds = new Map<ChainId, number>();

  constructor(parts: {
    readonly database: Database;
    readonly dataRoot: string;
    readonly workers: UnpackWorkers;
    readonly tars: LayerTars;
    /** Blobs of layers: collected with them, and read where there is no recipe. */
    readonly content: Pick<Content, 'collect' | 'findOf'>;
    readonly log: Log;
    readonly writeOut: WriteOut;
    /** Room to remove layers with when there is none. */
    readonly reserve?: Pick<DiskReserve, 'around'>;
    /** Told each point where something is half done, and where a test may end the engine. */
    readonly reach?: (point: string) => void;
  }) {
    this.#reach = parts.reach ?? (() => undefined);
    this.#database = parts.database;
    this.#findRow = parts.database.sql.prepare('SELECT * FROM layers WHERE chain_id = ?');
    this.#log = parts.log;
    this.#workers = parts.workers;
    this.#writeOut = parts.writeOut;
    this.#reserve = parts.reserve ?? { around: (work) => work() };
    this.#tars = parts.tars;
    this.#content = parts.content;
    this.#root = path.join(parts.dataRoot, 'layers');
    mkdirSync(this.#root, { recursive: true, mode: 0o700 });
    this.#directory = openSync(this.#root, constants.O_DIRECTORY);
    this.#intake = new LayerIntake({
      workers: parts.workers,
      root: this.#root,
      directory: this.#directory,
      find: (chainId) => this.find(chainId),
      publish: (layer) => this.#publish(layer),
      writeOut: parts.writeOut,
      spare: () => this.#content.collect({ isSparing: true }),
    });
    const marked = this.#database.sql.prepare('SELECT unwritten FROM layers WHERE unwritten IS NOT NULL').all();
    for (const row of marked) this.#writeOut.takeUp(String(row['unwritten']), this.#settle);
  }

  [Symbol.dispose](): void {
    closeSync(this.#directory);
  }

  find(chainId: ChainId): Layer | null {
    const row = this.#findRow.get(chainId);
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

  /** Resolves when all layers that stand now are on the disk: before anything that cannot be had again is built on one of them. */
  written(): Promise<void> {
    return this.#writeOut.settled();
  }

  /** Layers that a power cut, or a failing disk, took before they were written, and those above them: `collect` removes them once no image has them. */
  lost(): readonly ChainId[] {
    return this.#database.sql
      .prepare(
        `WITH RECURSIVE lost (chain_id) AS (
           SELECT chain_id FROM layers WHERE unwritten = 'lost'
           UNION SELECT above.chain_id FROM layers AS above JOIN lost ON above.parent = lost.chain_id
         ) SELECT chain_id FROM lost`,
      )
      .all()
      .map((row) => parseChainId(String(row['chain_id'])));
  }

  /** Called when there are some, while the engine runs. */
  onLost(listener: () => void): void {
    this.#writeOut.onLost(listener);
  }

  /**
   * Adds a stack, bottom first; layers that are there already are not read. All are unpacked side by side. When it rejects,
   * no work of it goes on; layers that were complete stay until `collect`. Hold the chain ids (`hold`) until an image
   * needs them. Throws `invalid` for a broken layer, `internal` ("no space left on device") for a full disk.
   */
  add(layers: readonly IncomingLayer[], options: AddOptions): Promise<ChainId | null> {
    return this.#intake.add(layers, options);
  }

  /**
   * Adds a layer whose digest nobody knows yet, on top of one that is there and held. The layer is held until what is returned is disposed. Throws as `add` does.
   */
  async addNew(
    what: { readonly parent: ChainId | null; readonly layer: NewLayer },
    signal: AbortSignal,
  ): Promise<Disposable & { readonly layer: Layer }> {
    using holds = new DisposableStack();
    const onKnown = (chainId: ChainId): void => void holds.use(this.hold([chainId]));
    const chainId = await this.#intake.addNew({ ...what, onKnown }, signal);
    const held = holds.move();
    return { layer: this.#found(chainId), [Symbol.dispose]: () => held.dispose() };
  }

  /**
   * The layer's tar again, byte for byte, packed as asked. Hold the layer meanwhile. Throws `not-found` for a layer that is
   * not there, `conflict` for one of an older engine whose tar was not kept.
   */
  tarOf(
    chainId: ChainId,
    options: { readonly packing?: Packing; readonly pieces?: Pieces; readonly signal: AbortSignal },
  ): LayerTar {
    const { diffId, folder } = this.#found(chainId);
    const { packing = { kind: 'none' } } = options;
    const recipe = this.recipeFile(chainId);
    if (recipe !== null) return this.#tars.stream({ from: { folder, recipe }, diffId, packing }, options);
    const blob = this.#content.findOf(diffId)[0];
    if (blob === undefined) {
      throw conflict(
        `layer ${diffId} was unpacked by an older version of Skiff, which did not keep what is needed to write it again: pull or load its image anew`,
      );
    }
    return this.#tars.stream({ from: { blob: blob.file }, diffId, packing }, options);
  }

  /** What a compressed file holds, of every compression that layers have: inflated in a process of its own. Throws `internal` for one that is broken. */
  inflated(file: string, signal: AbortSignal): AsyncIterable<Buffer> {
    return this.#tars.stream({ from: { blob: file }, diffId: null, packing: { kind: 'none' } }, { signal }).bytes;
  }

  /** Absolute path of the file that `recipeEntries` reads the layer's entries from; null for one of an older engine. */
  recipeFile(chainId: ChainId): string | null {
    const { folder, recipeBytes } = this.#found(chainId);
    return recipeBytes === null ? null : recipeOfFolder(folder);
  }

  /** Layers will be added soon: what unpacks them starts now. */
  prepare(): void {
    this.#workers.prepare();
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

  /** Removes every layer that nothing needs. Returns them, topmost first; their folders are gone, and stay so, when this resolves. */
  async collect(): Promise<readonly ChainId[]> {
    const tops = this.#needless();
    if (tops.length === 0) return [];
    const removed = this.#reserve.around(() => this.#database.transaction(() => this.#deleteWith(tops), 'ordered'));
    // Before anything of them goes: a power cut must not bring back the row of a layer that is half gone.
    await this.#database.written();
    this.#reach('layers:forgotten');
    await this.#removeFolders(removed);
    this.#reach('layers:removed');
    await this.#content.collect();
    return removed.map(({ chainId }) => chainId);
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

  #found(chainId: ChainId): Layer {
    const layer = this.find(chainId);
    if (layer === null) throw notFound(`No such layer: ${chainId}`);
    return layer;
  }

  /** Bytes of the layer's tar, uncompressed: needed before it is written into another archive. */
  async tarBytes(chainId: ChainId, signal: AbortSignal): Promise<number> {
    const known = this.#found(chainId).tarBytes;
    if (known !== null) return known;
    const tar = this.tarOf(chainId, { pieces: 'fleeting', signal });
    for await (const _ of tar.bytes); // counted
    return tar.result().sizeBytes;
  }

  /** From its row on it is found. */
  #publish(layer: Layer): void {
    const mark = this.#writeOut.mark(this.#settle);
    const { chainId, diffId, parent, folder, sizeBytes, recipeBytes, tarBytes } = layer;
    try {
      const insert = this.#database.sql.prepare(
        'INSERT INTO layers (chain_id, diff_id, parent, folder, size_bytes, recipe_bytes, tar_bytes, unwritten) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      );
      const name = path.basename(folder);
      this.#database.transaction(
        () => insert.run(chainId, diffId, parent, name, sizeBytes, recipeBytes, tarBytes, mark),
        'ordered',
      );
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      throw internal(`failed to register layer ${diffId}: no space left on device`, { cause: error });
    }
  }

  readonly #settle: Settle = (mark, outcome) => {
    const update = this.#database.sql.prepare('UPDATE layers SET unwritten = ? WHERE unwritten = ?');
    update.run(outcome === 'written' ? null : outcome, mark);
  };

  /** What comes again meanwhile has a folder of its own. Many files go in a process: it is for that that it makes its calls at once. */
  async #removeFolders(layers: readonly Layer[]): Promise<void> {
    const names = layers.flatMap(({ folder }) => [folder, recipeOfFolder(folder)].map((file) => path.basename(file)));
    // The recipe grows with the number of files.
    const recipeBytes = layers.reduce((sum, layer) => sum + (layer.recipeBytes ?? manyFiles), 0);
    if (recipeBytes >= manyFiles) {
      try {
        return await this.#workers.remove({ root: this.#root, names });
      } catch (error) {
        this.#log.warn('removing layers here, since the process for it failed', { error });
      }
    }
    for (const name of names) await removeTree(this.#directory, name);
  }

  /** Rows alone. From the top down: with a layer the one below it may become needless. */
  #deleteWith(tops: readonly Layer[]): readonly Layer[] {
    const remove = this.#database.sql.prepare('DELETE FROM layers WHERE chain_id = ?');
    const removed: Layer[] = [];
    for (const top of tops) {
      for (let layer: Layer | undefined = top; layer !== undefined;) {
        remove.run(layer.chainId);
        removed.push(layer);
        layer = layer.parent === null ? undefined : this.#needless(layer.parent)[0];
      }
    }
    return removed;
  }

  /** Those, or the one, on which nothing stands that has a row or a hold. */
  #needless(chainId: ChainId | null = null): readonly Layer[] {
    return this.#database.sql
      .prepare(
        `SELECT * FROM layers AS layer
          WHERE (? IS NULL OR chain_id = ?)
            AND NOT EXISTS (SELECT 1 FROM images WHERE top_layer = layer.chain_id)
            AND NOT EXISTS (SELECT 1 FROM roots WHERE top_layer = layer.chain_id)
            AND NOT EXISTS (SELECT 1 FROM image_mounts WHERE top_layer = layer.chain_id)
            AND NOT EXISTS (SELECT 1 FROM layers AS child WHERE child.parent = layer.chain_id)`,
      )
      .all(chainId, chainId)
      .map((row) => this.#layerOf(row))
      .filter((layer) => !this.#holds.has(layer.chainId));
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
