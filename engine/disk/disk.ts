/** The truth about the disk (README.md): one answer whose parts add up to what the file system says. */
import { lstatSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import path from 'node:path';
import type { SkiffDisk, SkiffDiskContainer, SkiffReclaimable } from '../../api/skiff.ts';
import type { Container } from '../containers/container.ts';
import type { Parts } from '../containers/parts.ts';
import { countsAsRunning } from '../containers/state.ts';
import type { Image } from '../images/image.ts';
import { familiarReference } from '../images/reference.ts';
import type { Database } from '../store/database.ts';
import { leftoverOf, namesIn } from './data-root.ts';
import { bytesOnlyOf, sumLayers } from './layer-sums.ts';
import { LayerUsage } from './layer-usage.ts';

type Needs = Pick<Parts, 'images' | 'directory' | 'volumes' | 'trees' | 'content' | 'dataRoot'>;

/** What would go of one kind. */
export interface Reclaim {
  readonly kind: SkiffReclaimable;
  readonly count: number;
  readonly bytes: number;
}

export class Disk {
  readonly #parts: Needs;
  readonly #layers: LayerUsage;

  constructor(parts: Needs & { readonly database: Database }) {
    this.#parts = parts;
    this.#layers = new LayerUsage(parts);
  }

  async truth(): Promise<SkiffDisk> {
    const { dataRoot, content } = this.#parts;
    const { layers, files } = await this.#layers.measure();
    const containers = this.#parts.directory.all();
    const volumes = this.#parts.volumes.list();
    const leftover = leftoverOf(dataRoot, {
      layerFiles: files,
      containers: new Set(containers.map(({ id }) => id)),
      volumes: new Set(volumes.map(({ name }) => name)),
    });
    const [ofContainers = [], ofVolumes = [], ofContent = [], ofEngine = []] = await this.#measure([
      containers.flatMap(({ id }) => containerPaths(dataRoot, id)),
      volumes.map(({ name }) => path.join(dataRoot, 'volumes', name)),
      ['sha256', 'ingest'].map((name) => path.join(dataRoot, 'content', name)),
      leftover.paths,
    ]);
    const engineBytes = sum(ofEngine) + sum(leftover.folders.map(ownBytes));
    const [copies = 0, ingests = 0] = ofContent;
    const collectable = content.collectable();
    const shownContainers = containers.map((container, index) =>
      presentContainer(
        container,
        ofContainers.slice(index * 4, index * 4 + 4),
        logBytes(path.join(dataRoot, 'containers', container.id)),
      ),
    );
    const shownVolumes = volumes.map(({ name }, index) => {
      const [bytes, users] = [ofVolumes[index] ?? 0, this.#parts.volumes.usersOf(name).length];
      return { name, bytes, containers: users, reclaimableBytes: users === 0 ? bytes : 0 };
    });
    const images = this.#images(layers, containers);
    const { bsize, blocks, bavail } = await statfs(dataRoot);
    const parts = {
      images,
      containers: listed(shownContainers),
      volumes: listed(shownVolumes),
      compressedCopies: copiesOf(copies, path.join(dataRoot, 'content', 'sha256'), collectable.copies.bytes),
      unfinishedDownloads: copiesOf(ingests, path.join(dataRoot, 'content', 'ingest'), collectable.unfinished.bytes),
      engine: { bytes: engineBytes },
    };
    return {
      totalBytes: sum(Object.values(parts).map(({ bytes }) => bytes)),
      capacityBytes: blocks * bsize,
      freeBytes: bavail * bsize,
      ...parts,
    };
  }

  /** What would be given back, without doing it. `dangling`: images that a prune would remove. */
  async reclaimable(kinds: readonly SkiffReclaimable[], dangling: readonly Image[]): Promise<readonly Reclaim[]> {
    const { copies, unfinished } = this.#parts.content.collectable();
    const { layers } = await this.#layers.measure();
    const going = new Set(dangling.map(({ id }) => id));
    const staying = this.#parts.images.list().filter(({ image }) => !going.has(image.id));
    return kinds.map((kind) => {
      switch (kind) {
        case 'compressed-copies':
          return { kind, ...copies };
        case 'unfinished-downloads':
          return { kind, ...unfinished };
        case 'dangling-images': {
          const kept = [...staying.map(({ image }) => image.topLayer), ...this.#layers.held()];
          const tops = dangling.map(({ topLayer }) => topLayer);
          return { kind, count: dangling.length, bytes: bytesOnlyOf(layers, tops, kept) };
        }
      }
    });
  }

  #images(layers: Parameters<typeof sumLayers>[0], containers: readonly Container[]): SkiffDisk['images'] {
    const images = this.#parts.images.list().map(({ image }) => image);
    const { images: sums, ...all } = sumLayers(layers, images, this.#layers.held());
    const users = new Map<string, number>();
    for (const { spec } of containers) users.set(spec.imageId, (users.get(spec.imageId) ?? 0) + 1);
    const nothing = { layers: 0, bytes: 0, sharedBytes: 0, uniqueBytes: 0, reclaimableBytes: 0 };
    return {
      ...all,
      items: images.map(({ id, references }) => ({
        id,
        names: references.map(familiarReference),
        containers: users.get(id) ?? 0,
        ...(sums.get(id) ?? nothing),
      })),
    };
  }

  /** Groups of paths measured in one job: each costs a turn of a process. */
  async #measure(groups: readonly (readonly string[])[]): Promise<readonly (readonly number[])[]> {
    const sizes = await this.#parts.trees.usage(groups.flat());
    let at = 0;
    return groups.map((group) => sizes.slice(at, (at += group.length)));
  }
}

/** All of it, what it wrote (with the overlay's own folder), its snapshots. */
function containerPaths(dataRoot: string, id: string): readonly string[] {
  const folder = path.join(dataRoot, 'containers', id);
  return [folder, path.join(folder, 'upper'), path.join(folder, 'work'), path.join(folder, 'snapshots')];
}

/** Also of those that were rotated away. */
function logBytes(folder: string): number {
  const names = namesIn(folder).filter((name) => /-(?:json|local)\.log/.test(name));
  return sum(names.map((name) => ownBytes(path.join(folder, name))));
}

function presentContainer(container: Container, measured: readonly number[], logs: number): SkiffDiskContainer {
  const [bytes = 0, upper = 0, work = 0, snapshotBytes = 0] = measured;
  const isRunning = countsAsRunning(container.state);
  return {
    id: container.id,
    name: container.name,
    isRunning,
    image: container.spec.imageId,
    bytes,
    writtenBytes: upper + work,
    logBytes: logs,
    snapshotBytes,
    otherBytes: Math.max(0, bytes - upper - work - snapshotBytes - logs),
    reclaimableBytes: isRunning ? 0 : bytes,
  };
}

function listed<T extends { readonly bytes: number; readonly reclaimableBytes: number }>(
  items: readonly T[],
): { readonly bytes: number; readonly reclaimableBytes: number; readonly items: readonly T[] } {
  return {
    bytes: sum(items.map(({ bytes }) => bytes)),
    reclaimableBytes: sum(items.map(({ reclaimableBytes }) => reclaimableBytes)),
    items,
  };
}

function copiesOf(
  bytes: number,
  folder: string,
  reclaimableBytes: number,
): { readonly bytes: number; readonly count: number; readonly reclaimableBytes: number } {
  return { bytes, count: namesIn(folder).length, reclaimableBytes: Math.min(bytes, reclaimableBytes) };
}

/** Of the folder alone; 0 when it is not there. Source: stat(2), st_blocks counts 512 bytes. */
function ownBytes(folder: string): number {
  return (lstatSync(folder, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
