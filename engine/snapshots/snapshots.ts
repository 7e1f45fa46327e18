/** Snapshots of containers' files (README.md). */
import { randomBytes } from 'node:crypto';
import type { SkiffComparison } from '../../api/skiff.ts';
import type { Container } from '../containers/container.ts';
import { publishContainerEvent } from '../containers/container-events.ts';
import { createContainer } from '../containers/life/create.ts';
import { pauseContainer, unpauseContainer } from '../containers/life/pause.ts';
import type { Parts } from '../containers/parts.ts';
import type { CreateRequest } from '../containers/spec/create-request.ts';
import { countsAsRunning } from '../containers/state.ts';
import type { Explorer } from '../explorer/explorer.ts';
import type { Image } from '../images/image.ts';
import type { LayerStore } from '../layers/layer-store.ts';
import { conflict, internal, invalid, notFound } from '../model/errors.ts';
import { type ContainerId, parseChainId } from '../model/ids.ts';
import { formatInstant } from '../model/time.ts';
import type { Database } from '../store/database.ts';
import { type Snapshot, SnapshotRows } from './snapshot-rows.ts';
import { keepUpper, removeSnapshotFolder, replaceUpper, snapshotFolder } from './upper-folder.ts';

export class Snapshots {
  readonly #parts: Parts;
  readonly #database: Database;
  readonly #rows: SnapshotRows;
  readonly #explorer: Explorer;
  readonly #layers: LayerStore;
  readonly #reach: (point: string) => void;

  /** `reach`: told each step at which a test may end the engine. */
  constructor(needs: {
    readonly parts: Parts;
    readonly database: Database;
    readonly explorer: Explorer;
    readonly layers: LayerStore;
    readonly reach: (point: string) => void;
  }) {
    this.#parts = needs.parts;
    this.#database = needs.database;
    this.#rows = new SnapshotRows(needs.database);
    this.#explorer = needs.explorer;
    this.#layers = needs.layers;
    this.#reach = needs.reach;
  }

  /** Oldest first. */
  list(container: Container): readonly Snapshot[] {
    return this.#rows.of(container.id);
  }

  /** By name, id or the beginning of one. Throws `not-found`. */
  find(container: Container, text: string): Snapshot {
    const all = this.#rows.of(container.id);
    const named = all.find(({ name, id }) => name === text || id === text);
    const [begun, other] = /^[0-9a-f]+$/.test(text) ? all.filter(({ id }) => id.startsWith(text)) : [];
    const found = named ?? (other === undefined ? begun : undefined);
    if (found === undefined) throw notFound(`No such snapshot of container ${container.name}: ${text}`);
    return found;
  }

  /**
   * Takes one, while the container stands still. Throws `conflict` for a name that is taken, and while it is being removed;
   * `internal` when there is no space. `name` null: one is made up.
   */
  async take(
    container: Container,
    asked: { readonly name: string | null; readonly comment: string },
  ): Promise<Snapshot> {
    const { id } = container;
    const name = asked.name ?? this.#freeName(id);
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(name))
      throw invalid(`invalid name of a snapshot: "${name}": letters, digits, "_", "." and "-", at most 128`);
    const assertFree = (): void => {
      if (this.#rows.of(id).some((other) => other.name === name))
        throw conflict(`container ${container.name} has a snapshot "${name}" already`);
    };
    assertFree();
    return await this.#standingStill(container, async () => {
      assertFree();
      const snapshotId = randomBytes(32).toString('hex');
      const sizeBytes = await keepUpper(this.#parts.trees, this.#parts.roots.get(id), snapshotId);
      this.#reach('snapshot:copied');
      const createdAt = formatInstant(this.#parts.now());
      const snapshot = { id: snapshotId, container: id, name, comment: asked.comment, createdAt, sizeBytes };
      this.#rows.add(snapshot);
      this.#reach('snapshot:written');
      publishContainerEvent(this.#parts, container, 'snapshot', { snapshot: name });
      return snapshot;
    });
  }

  async remove(container: Container, text: string): Promise<void> {
    await container.queue.run(async () => {
      const { id, name } = this.find(container, text);
      this.#rows.begin(container.id, false);
      this.#rows.delete(id);
      await removeSnapshotFolder(this.#parts.roots.folderOf(container.id), id);
      this.#rows.end(container.id);
      publishContainerEvent(this.#parts, container, 'snapshot-remove', { snapshot: name });
    });
  }

  /** The container has again what it had then; what it wrote since is lost. Throws `conflict` while it runs, or is looked into. */
  async rollBack(container: Container, text: string): Promise<Snapshot> {
    return await container.queue.run(async () => {
      const { id, state, name } = container;
      const snapshot = this.find(container, text);
      if (countsAsRunning(state) || !['created', 'exited'].includes(state.status))
        throw conflict(`container ${name} is ${state.status}: stop it before it goes back to a snapshot`);
      const root = this.#parts.roots.get(id);
      const assertStill = (): void => {
        this.#reach('rollback:copied');
        if (this.#parts.roots.isMounted(id))
          throw conflict(`files of container ${name} are being read or copied: try again when that is done`);
      };
      this.#rows.begin(id, false);
      try {
        await replaceUpper(this.#parts.trees, root, snapshotFolder(root.folder, snapshot.id), assertStill);
        this.#reach('rollback:done');
      } finally {
        this.#rows.end(id);
      }
      publishContainerEvent(this.#parts, container, 'rollback', { snapshot: snapshot.name });
      return snapshot;
    });
  }

  /** What differs from one to another, or to what is there now (`to` null). */
  async compare(
    container: Container,
    asked: { readonly from: string; readonly to: string | null; readonly offset: number; readonly limit: number },
    signal: AbortSignal,
  ): Promise<Pick<SkiffComparison, 'added' | 'changed' | 'removed' | 'files' | 'next'>> {
    const root = this.#parts.roots.get(container.id);
    const folderOf = (text: string): string => snapshotFolder(root.folder, this.find(container, text).id);
    const [above] = root.lowers;
    if (above === undefined) throw internal(`the root of container ${container.id} has no folder below it`);
    const folders = {
      layers: this.#layersOf(container.id),
      above,
      from: folderOf(asked.from),
      to: asked.to === null ? root.upper : folderOf(asked.to),
    };
    return await this.#explorer.compareFolders(folders, asked, signal);
  }

  /** An image of the container's image with the snapshot on top; it is run as that image is. `name`: `name[:tag]`, or none. */
  async makeImage(
    container: Container,
    asked: { readonly snapshot: string; readonly name: string | null },
    signal: AbortSignal,
  ): Promise<Image> {
    const snapshot = this.find(container, asked.snapshot);
    const root = this.#parts.roots.get(container.id);
    const upper = snapshotFolder(root.folder, snapshot.id);
    const step = { created: snapshot.createdAt, created_by: `skiff snapshot ${snapshot.name} of ${container.name}` };
    const { image } = await this.#parts.images.make({
      base: container.spec.imageId,
      layer: (target, until) => this.#parts.trees.writeChanges(upper, target, until),
      name: asked.name,
      signal,
      config: (base, added) => ({
        ...base,
        created: snapshot.createdAt,
        history: [
          ...(Array.isArray(base['history']) ? (base['history'] as readonly unknown[]) : []),
          { ...step, ...(added === 'nothing' ? { empty_layer: true } : {}) },
        ],
      }),
    });
    return image;
  }

  /** A container that begins with what this one had. `request` must name the same image. */
  async makeContainer(container: Container, text: string, request: CreateRequest): Promise<Container> {
    const snapshot = this.find(container, text);
    const { folder } = this.#parts.roots.get(container.id);
    return await createContainer(this.#parts, request, async (root) => {
      await replaceUpper(this.#parts.trees, root, snapshotFolder(folder, snapshot.id));
    });
  }

  /** One that runs is paused meanwhile, and goes on whatever happens. */
  async #standingStill<T>(container: Container, work: () => Promise<T>): Promise<T> {
    const { id } = container;
    const isPaused = container.state.status === 'running';
    this.#rows.begin(id, isPaused);
    this.#reach('snapshot:begun');
    if (isPaused) await pauseContainer(this.#parts, container);
    this.#reach('snapshot:paused');
    try {
      return await container.queue.run(async () => {
        const { status } = container.state;
        if (status === 'running')
          throw conflict(`container ${container.name} was started or resumed meanwhile: try again`);
        if (status === 'removing' || status === 'dead') throw conflict(`container ${container.name} is being removed`);
        return await work();
      });
    } finally {
      if (isPaused && statusOf(container) === 'paused') await unpauseContainer(this.#parts, container);
      this.#rows.end(id);
    }
  }

  #freeName(container: ContainerId): string {
    const taken = new Set(this.#rows.of(container).map(({ name }) => name));
    for (let number = taken.size + 1; ; number++) if (!taken.has(`snapshot-${number}`)) return `snapshot-${number}`;
  }

  /** Bottom first: of the image that it was made from, which may be gone. */
  #layersOf(container: ContainerId): ReturnType<LayerStore['stack']> {
    const row = this.#database.sql.prepare('SELECT top_layer FROM roots WHERE container = ?').get(container);
    const top = row?.['top_layer'];
    return [...this.#layers.stack(typeof top === 'string' ? parseChainId(top) : null)].reverse();
  }
}

/** Read anew: it may be another than before the last wait. */
function statusOf({ state }: Container): Container['state']['status'] {
  return state.status;
}
