import { randomBytes } from 'node:crypto';
import { closeSync, constants, existsSync, lstatSync, mkdirSync, openSync, readdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { isCode } from '../kernel/files.ts';
import { mountOverlay, unmountAside } from '../kernel/mount.ts';
import { removeTree } from '../kernel/remove-tree.ts';
import type { LayerStore } from '../layers/layer-store.ts';
import { internal } from '../model/errors.ts';
import { type ChainId, type ContainerId, hexOf, parseChainId, parseContainerId } from '../model/ids.ts';
import type { Database } from '../store/database.ts';
import type { DiskReserve } from '../store/disk-reserve.ts';
import { fillInitLayer, lookLikeRoot } from './init-layer.ts';
import type { HeldRoot, Root, Roots, RootSizes } from './rootfs.ts';

const temporary = 'tmp-';

/** Roots as overlays (see `rootfs.ts` for what each method promises): `<data root>/containers/<id>/{upper,work,merged}`. */
export class OverlayRoots implements Roots {
  readonly #database: Database;
  readonly #layers: LayerStore;
  readonly #containers: string;
  readonly #initLayers: string;
  readonly #measure: (folders: readonly string[]) => Promise<readonly number[]>;
  readonly #reserve: Pick<DiskReserve, 'around'>;
  /** Who looks into a root, and whether its container is done with it. */
  readonly #held = new Map<ContainerId, { count: number; isWanted: boolean }>();

  constructor(parts: {
    readonly database: Database;
    readonly layers: LayerStore;
    readonly dataRoot: string;
    /** Bytes below each folder; 0 for one that is gone. */
    readonly measure: (folders: readonly string[]) => Promise<readonly number[]>;
    /** For what removes a root, on a full disk. */
    readonly reserve: Pick<DiskReserve, 'around'>;
  }) {
    this.#measure = parts.measure;
    this.#reserve = parts.reserve;
    this.#database = parts.database;
    this.#layers = parts.layers;
    this.#containers = path.join(parts.dataRoot, 'containers');
    this.#initLayers = path.join(parts.dataRoot, 'init-layers');
    mkdirSync(this.#containers, { recursive: true, mode: 0o710 });
    mkdirSync(this.#initLayers, { recursive: true, mode: 0o700 });
  }

  async prepare(request: { readonly id: ContainerId; readonly topLayer: ChainId | null }): Promise<Root> {
    const { id, topLayer } = request;
    // A container is not to be had again: what it stands on must be on the disk.
    using _layers = this.#layers.hold(topLayer === null ? [] : [topLayer]);
    await this.#layers.written();
    // The row first: it holds the layers, and says whose the folders are.
    const sql = 'INSERT INTO roots (container, top_layer) VALUES (?, ?) ON CONFLICT (container) DO NOTHING';
    // Folders without a row are garbage: a power cut may take it back.
    this.#database.transaction(() => this.#database.sql.prepare(sql).run(id, topLayer), 'ordered');
    this.#ensureInitLayer(topLayer);
    const root = this.get(id);
    mkdirSync(root.folder, { recursive: true, mode: 0o710 });
    for (const folder of [root.upper, root.work, root.merged]) mkdirSync(folder, { recursive: true, mode: 0o755 });
    // The root directory of an overlay is its upper's: it must look like the image's.
    lookLikeRoot(root.upper, root.lowers);
    return root;
  }

  get(id: ContainerId): Root {
    const row = this.#database.sql.prepare('SELECT top_layer FROM roots WHERE container = ?').get(id);
    if (row === undefined) throw internal(`container ${id} has no root`);
    const topLayer = row['top_layer'];
    const chainId = typeof topLayer === 'string' ? parseChainId(topLayer) : null;
    const folder = path.join(this.#containers, id);
    return {
      id,
      folder,
      merged: path.join(folder, 'merged'),
      upper: path.join(folder, 'upper'),
      work: path.join(folder, 'work'),
      lowers: [this.#initLayerOf(chainId), ...this.#layers.stack(chainId).map((layer) => layer.folder)],
    };
  }

  mount(id: ContainerId, options: { readonly isVolatile?: boolean } = {}): Root {
    const root = this.get(id);
    const held = this.#held.get(id);
    if (held !== undefined) held.isWanted = true;
    if (!this.isMounted(id)) {
      const { lowers, upper, work, merged } = root;
      mountOverlay({ lowers, upper, work, target: merged, ...options });
    }
    return root;
  }

  hold(id: ContainerId): HeldRoot {
    const held = this.#held.get(id) ?? { count: 0, isWanted: this.isMounted(id) };
    const { isWanted } = held;
    const root = this.mount(id);
    held.isWanted = isWanted;
    held.count += 1;
    this.#held.set(id, held);
    let isHeld = true;
    return {
      root,
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        held.count -= 1;
        if (held.count > 0) return;
        this.#held.delete(id);
        if (!held.isWanted) void this.unmount(id);
      },
    };
  }

  async unmount(id: ContainerId): Promise<void> {
    const held = this.#held.get(id);
    if (held !== undefined) {
      // Two overlays on one upper would each show half of what is written: the last who looks unmounts.
      held.isWanted = false;
      return;
    }
    if (this.isMounted(id)) await unmountAside(path.join(this.#containers, id, 'merged'));
  }

  isMounted(id: ContainerId): boolean {
    const folder = path.join(this.#containers, id);
    const merged = lstatSync(path.join(folder, 'merged'), { throwIfNoEntry: false });
    return merged !== undefined && merged.dev !== lstatSync(folder).dev;
  }

  folderOf(id: ContainerId): string {
    return path.join(this.#containers, id);
  }

  async keepImage(id: ContainerId, target: string, topLayer: ChainId | null): Promise<void> {
    using _layers = this.#layers.hold(topLayer === null ? [] : [topLayer]);
    await this.#layers.written();
    this.#database.sql
      .prepare('INSERT OR REPLACE INTO image_mounts (container, target, top_layer) VALUES (?, ?, ?)')
      .run(id, target, topLayer);
  }

  imageLayers(id: ContainerId, target: string): readonly string[] {
    const sql = 'SELECT top_layer FROM image_mounts WHERE container = ? AND target = ?';
    const topLayer = this.#database.sql.prepare(sql).get(id, target)?.['top_layer'];
    return this.#layers.stack(typeof topLayer === 'string' ? parseChainId(topLayer) : null).map(({ folder }) => folder);
  }

  async remove(id: ContainerId): Promise<void> {
    // Whoever still looks sees it end.
    this.#held.delete(id);
    await this.unmount(id);
    await this.#removeFolder(this.#containers, id);
    const sql = 'DELETE FROM roots WHERE container = ?';
    const forget = (): unknown => this.#database.sql.prepare(sql).run(id);
    this.#reserve.around(() => this.#database.transaction(forget, 'ordered'));
    await this.#layers.collect();
  }

  async sizes(ids: readonly ContainerId[]): Promise<readonly RootSizes[]> {
    const written = await this.#measure(ids.map((id) => path.join(this.#containers, id, 'upper')));
    return ids.map((id, index) => {
      const writtenBytes = written[index] ?? 0;
      const layers = this.#layers.stack(this.#topLayerOf(id));
      return { writtenBytes, totalBytes: writtenBytes + layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
    });
  }

  async collectGarbage(living: ReadonlySet<ContainerId>): Promise<readonly ContainerId[]> {
    const rows = this.#database.sql
      .prepare('SELECT container FROM roots')
      .all()
      .map((row) => String(row['container']));
    const known = new Set([...rows, ...readdirSync(this.#containers).filter((name) => /^[0-9a-f]{64}$/.test(name))]);
    const removed: ContainerId[] = [];
    for (const id of [...known].map(parseContainerId)) {
      if (living.has(id)) continue;
      await this.remove(id);
      removed.push(id);
    }
    for (const name of readdirSync(this.#initLayers)) {
      if (name.startsWith(temporary) || !this.#isNeeded(name)) await this.#removeFolder(this.#initLayers, name);
    }
    return removed;
  }

  /** Null for a root without layers, and for one that is gone. */
  #topLayerOf(id: ContainerId): ChainId | null {
    const row = this.#database.sql.prepare('SELECT top_layer FROM roots WHERE container = ?').get(id);
    const topLayer = row?.['top_layer'];
    return typeof topLayer === 'string' ? parseChainId(topLayer) : null;
  }

  /** Filled under another name and renamed: one that is there is whole. */
  #ensureInitLayer(topLayer: ChainId | null): void {
    const folder = this.#initLayerOf(topLayer);
    if (existsSync(folder)) return;
    const unfinished = path.join(this.#initLayers, `${temporary}${randomBytes(8).toString('hex')}`);
    mkdirSync(unfinished, { mode: 0o755 });
    fillInitLayer(
      unfinished,
      this.#layers.stack(topLayer).map((layer) => layer.folder),
    );
    renameSync(unfinished, folder);
  }

  #initLayerOf(topLayer: ChainId | null): string {
    return path.join(this.#initLayers, topLayer === null ? 'empty' : hexOf(topLayer).slice(0, 16));
  }

  #isNeeded(name: string): boolean {
    const sql = "SELECT 1 FROM layers WHERE chain_id GLOB 'sha256:' || ? || '*'";
    return name === 'empty' || this.#database.sql.prepare(sql).get(name) !== undefined;
  }

  async #removeFolder(parent: string, name: string): Promise<void> {
    const directory = openSync(parent, constants.O_DIRECTORY);
    try {
      await removeTree(directory, name);
    } catch (error) {
      if (isCode(error, 'EBUSY'))
        throw internal(`${path.join(parent, name)} is still in use: ${String(error)}`, { cause: error });
      throw error;
    } finally {
      closeSync(directory);
    }
  }
}
