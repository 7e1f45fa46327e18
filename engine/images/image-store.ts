import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { ProgressMessage } from '../../api/images.ts';
import type { Content } from '../content/content.ts';
import type { Log } from '../diagnostics/log.ts';
import { chainIds, type Layer, type LayerStore } from '../layers/layer-store.ts';
import { conflict, internal, invalid, notFound } from '../model/errors.ts';
import type { Filters } from '../model/filters.ts';
import { type ImageId, parseDigest } from '../model/ids.ts';
import type { Instant } from '../model/time.ts';
import type { Database } from '../store/database.ts';
import type { DiskReserve } from '../store/disk-reserve.ts';
import type { IncomingImage } from './archive/incoming-image.ts';
import { inflatedArchive } from './archive/inflated-archive.ts';
import { readArchive } from './archive/read-archive.ts';
import { Spool } from './archive/spool.ts';
import type { Image } from './image.ts';
import { ImageCatalogue, isIdOrPrefix } from './image-catalogue.ts';
import { parseImageConfig } from './image-config.ts';
import { listImages } from './image-list.ts';
import { ImageRows } from './image-rows.ts';
import type {
  Images,
  ImageSource,
  ListedImage,
  LoadOptions,
  MakeRequest,
  PublishedImage,
  PublishRequest,
  RemovedImage,
  RemoveOptions,
  SavedArchive,
  SaveOptions,
} from './images.ts';
import { layerMessage, ProgressQueue } from './load-progress.ts';
import { makeImage } from './make-image.ts';
import { familiarReference, parseReference, type Reference, withDefaultTag } from './reference.ts';
import { imagesToPrune } from './prune-images.ts';
import { type Kinship, planRemoval, type RemovalPlan } from './remove-image.ts';
import { saveImages } from './save-images.ts';
import { sharedSizes, type SharedSizes } from './shared-sizes.ts';

/** The images of one store (see `images.ts` for what each method promises). */
export class ImageStore implements Images {
  readonly #rows: ImageRows;
  readonly #layers: LayerStore;
  readonly #content: Pick<Content, 'findOf' | 'hold'>;
  readonly #now: () => Instant;
  readonly #reach: (point: string) => void;
  readonly #reserve: Pick<DiskReserve, 'around'>;
  readonly #incoming: string;
  readonly #log: Log;
  readonly #catalogue: ImageCatalogue;
  #isPruning = false;

  constructor(parts: {
    readonly database: Database;
    readonly layers: LayerStore;
    /** Blobs of its layers: saved as they are. */
    readonly content: Pick<Content, 'findOf' | 'hold'>;
    readonly dataRoot: string;
    readonly now: () => Instant;
    readonly log: Log;
    /** Told at each point where something is half done: tests end the engine there. */
    readonly reach?: (point: string) => void;
    /** For what removes images, on a full disk. */
    readonly reserve?: Pick<DiskReserve, 'around'>;
  }) {
    this.#reserve = parts.reserve ?? { around: (work) => work() };
    this.#rows = new ImageRows(parts.database);
    this.#catalogue = new ImageCatalogue(this.#rows);
    this.#layers = parts.layers;
    this.#content = parts.content;
    this.#now = parts.now;
    this.#reach = parts.reach ?? (() => undefined);
    this.#incoming = path.join(parts.dataRoot, 'incoming');
    this.#log = parts.log;
    this.#layers.onLost(() => {
      this.#forgetLost();
      this.#layers.collect().catch((error: unknown) => this.#log.error('lost layers could not be removed', { error }));
    });
  }

  /** At boot: deletes archives that were on their way in when the engine ended, and layers that no image came to need. */
  async collectGarbage(): Promise<void> {
    rmSync(this.#incoming, { recursive: true, force: true });
    this.#forgetLost();
    await this.#layers.collectGarbage();
  }

  async *load(
    archive: AsyncIterable<Uint8Array>,
    options: LoadOptions = {},
  ): AsyncGenerator<ProgressMessage, void, void> {
    const ended = new AbortController();
    const signal = AbortSignal.any([ended.signal, ...(options.signal === undefined ? [] : [options.signal])]);
    mkdirSync(this.#incoming, { recursive: true, mode: 0o700 });
    const file = path.join(this.#incoming, `${randomBytes(8).toString('hex')}.tar`);
    await using plain = await inflatedArchive(archive, { file: `${file}.packed`, layers: this.#layers, signal });
    await using spool = await Spool.fill({ archive: plain.bytes, file, signal });
    this.#reach('image:spooled');
    const images = readArchive(spool, options.platforms ?? []);
    try {
      for (let next = await images.next(); next.done !== true;) {
        const image = next.value;
        // One step ahead: what is wrong with the next is told when it is its turn.
        const following = images.next();
        const isLast = await following.then(
          ({ done }) => done === true,
          () => true,
        );
        // Without the archive, only the layers have to be written to the disk.
        const onUnpacked = async (): Promise<void> => (isLast ? spool.drop() : undefined);
        yield* this.#loadOne(image, { signal, onUnpacked, onLoaded: () => options.onLoaded?.(image.id) });
        next = await following;
      }
    } finally {
      ended.abort(new Error('the load was ended'));
    }
  }

  save(names: readonly string[], options: SaveOptions): Promise<SavedArchive> {
    return saveImages(names, { images: this, layers: this.#layers, content: this.#content }, options);
  }

  list(filters: Filters = new Map(), which: 'all' | 'shown' = 'all'): readonly ListedImage[] {
    const images = this.#catalogue.all();
    const parents = new Set(images.map(({ parent }) => parent));
    const isHidden = ({ id }: Image): boolean => which === 'shown' && parents.has(id);
    return listImages(images, filters, { resolve: (text) => this.resolve(text), isHidden, now: this.#now() });
  }

  sharedSizes(): SharedSizes {
    return sharedSizes(this.#catalogue.all(), this.#rows.layerSizes());
  }

  resolve(text: string): Image {
    return this.#catalogue.resolve(text);
  }

  get(id: ImageId): Image | null {
    return this.#catalogue.get(id);
  }

  async publish(request: PublishRequest): Promise<PublishedImage> {
    const { configText, names } = request;
    const { diffIds } = parseImageConfig(Buffer.from(configText));
    const id = parseDigest(`sha256:${createHash('sha256').update(configText).digest('hex')}`);
    const topLayer = chainIds(diffIds).at(-1) ?? null;
    if (topLayer !== null && this.#layers.find(topLayer) === null)
      throw internal(`image ${id}: its layer ${topLayer} is not in the store`);
    const moved = new Map<Reference, ImageId>();
    this.#reach('image:unpacked');
    // What a power cut takes with the image can be pulled again; where its names stood before would be forgotten.
    const movesNames = names.some((name) => ![null, id].includes(this.#rows.taggedImage(name)));
    const isWaitedFor = request.isRepeatable !== true || movesNames;
    if (isWaitedFor) await this.#layers.written();
    if (topLayer !== null && this.#layers.lost().includes(topLayer))
      throw internal(`image ${id}: the disk did not take its layers`);
    this.#rows.transaction(() => {
      this.#rows.add({ id, configText, topLayer, parent: request.parent ?? null }, this.#now());
      for (const name of names) {
        const before = this.#rows.taggedImage(name);
        if (before !== null && before !== id) moved.set(name, before);
        this.#rows.setTag(name, id, request.isNamedHere === true ? this.#now() : null);
      }
      for (const reference of request.digests ?? []) this.#rows.addDigest(reference, id);
      for (const manifest of request.manifests ?? []) this.#rows.addManifest(manifest, id);
      for (const blob of request.layerBlobs ?? []) this.#rows.addLayerBlob(blob);
    }, 'ordered');
    this.#reach('image:published');
    for (const changed of new Set([id, ...moved.values()])) this.#catalogue.refresh(changed);
    const image = this.resolve(id);
    if (isWaitedFor) await this.#rows.written();
    return { image, moved };
  }

  source(id: ImageId): ImageSource {
    const row = this.#rows.find(id);
    const image = this.get(id);
    if (row === null || image === null) throw notFound(`No such image: ${id}`);
    return {
      configText: row.configText,
      manifests: this.#rows.manifestsOf(id),
      layerBlobs: image.config.diffIds.flatMap((diffId) => this.#rows.blobsOf(diffId)),
    };
  }

  async tag(
    source: string,
    target: { readonly repository: string; readonly tag: string | null },
  ): Promise<{ readonly image: Image; readonly name: string }> {
    const { id } = this.resolve(source);
    // A name that stands on another image would be lost with this one.
    await this.#layers.written();
    const name = this.#namedWithTag(target.tag === null ? target.repository : `${target.repository}:${target.tag}`);
    const before = this.#rows.taggedImage(name);
    this.#rows.setTag(name, id, this.#now());
    for (const changed of new Set([id, before ?? id])) this.#catalogue.refresh(changed);
    return { image: this.resolve(id), name: familiarReference(name) };
  }

  async remove(text: string, options: RemoveOptions): Promise<readonly RemovedImage[]> {
    const image = this.resolve(text);
    const reference = isIdOrPrefix(text, image.id) ? null : withDefaultTag(parseReference(text));
    return this.#carryOut(
      image,
      planRemoval(
        {
          image,
          isForced: options.isForced,
          keepsParents: options.keepsParents,
          reference: reference === null || reference.digest === null ? reference : { ...reference, tag: null },
        },
        this.#kinship(options.usersOf),
      ),
    );
  }

  prunable(filters: Filters, options: Pick<RemoveOptions, 'usersOf'>): readonly Image[] {
    return imagesToPrune(this.#catalogue.all(), filters, this.#now(), this.#kinship(options.usersOf));
  }

  async prune(filters: Filters, options: Pick<RemoveOptions, 'usersOf'>): Promise<readonly RemovedImage[]> {
    if (this.#isPruning) throw conflict('a prune operation is already running');
    const kinship = this.#kinship(options.usersOf);
    const chosen = imagesToPrune(this.#catalogue.all(), filters, this.#now(), kinship);
    this.#isPruning = true;
    try {
      const removed: RemovedImage[] = [];
      for (let left = chosen, before = -1; removed.length > before;) {
        before = removed.length;
        const waiting: Image[] = [];
        for (const { id } of left) {
          const image = this.get(id);
          // Gone with a child, or taken by a container meanwhile.
          if (image === null || kinship.usersOf(id).length > 0) continue;
          if (kinship.childrenOf(id).length > 0) waiting.push(image);
          else {
            const plan = planRemoval({ image, isForced: true, keepsParents: false, reference: null }, kinship);
            removed.push(...(await this.#carryOut(image, plan)));
          }
        }
        left = waiting;
      }
      return removed;
    } finally {
      this.#isPruning = false;
    }
  }

  #kinship(usersOf: RemoveOptions['usersOf']): Kinship {
    return { get: (id) => this.get(id), childrenOf: (id) => this.#rows.childrenOf(id), usersOf };
  }

  /** Images of layers that never came to the disk go, with their names: they can be pulled again. */
  #forgetLost(): void {
    const lost = new Set(this.#layers.lost());
    if (lost.size === 0) return;
    const images = this.#rows.all().filter(({ topLayer }) => topLayer !== null && lost.has(topLayer));
    this.#rows.transaction(() => {
      for (const { id } of images) {
        for (const { reference } of this.#rows.tags(id)) this.#rows.deleteTag(reference);
        this.#rows.delete(id);
      }
    });
    for (const { id } of images) {
      this.#catalogue.refresh(id);
      this.#log.warn('an image that was pulled last did not come to the disk: pull it again', { image: id });
    }
  }

  /** All rows in one transaction; the layers after it, in docker's order: each image, then its own. */
  async #carryOut(image: Image, plan: RemovalPlan): Promise<readonly RemovedImage[]> {
    const stacks = plan.delete.map(({ topLayer }) => this.#layers.stack(topLayer));
    const forget = (): void => {
      for (const reference of plan.untag) {
        if (reference.digest === null) this.#rows.deleteTag(reference);
        else this.#rows.deleteDigest(reference, image.id);
      }
      for (const { id } of plan.delete) this.#rows.delete(id);
    };
    this.#reserve.around(() => this.#rows.transaction(forget, 'ordered'));
    this.#reach('image:removed');
    for (const { id } of [image, ...plan.delete]) this.#catalogue.refresh(id);
    const untagged = plan.untag.map((reference): RemovedImage => {
      return { kind: 'untagged', name: familiarReference(reference), image };
    });
    const gone = new Set(plan.delete.length === 0 ? [] : await this.#layers.collect());
    // With layers, their removal has waited.
    if (gone.size === 0) await this.#rows.written();
    if (plan.delete.length === 0) return untagged;
    return [
      ...untagged,
      ...plan.delete.flatMap(({ id }, index): readonly RemovedImage[] => {
        const below = new Set(stacks[index + 1]?.map(({ chainId }) => chainId));
        const own = (stacks[index] ?? []).filter(({ chainId }) => gone.has(chainId) && !below.has(chainId));
        return [
          { kind: 'deleted', image: id },
          ...own.map(({ chainId, sizeBytes }): RemovedImage => ({ kind: 'deleted-layer', layer: chainId, sizeBytes })),
        ];
      }),
    ];
  }

  lowers(id: ImageId): readonly string[] {
    return this.layers(id).map(({ folder }) => folder);
  }

  async make(request: MakeRequest): Promise<PublishedImage> {
    const name = request.name === null ? null : this.#namedWithTag(request.name);
    const parts = {
      layers: this.#layers,
      find: (id: ImageId) => this.#rows.find(id),
      publish: (image: PublishRequest) => this.publish(image),
      incoming: this.#incoming,
    };
    return makeImage(parts, request, name);
  }

  layers(id: ImageId): readonly Layer[] {
    const image = this.get(id);
    if (image === null) throw notFound(`No such image: ${id}`);
    return this.#layers.stack(image.topLayer);
  }

  async *#loadOne(
    image: IncomingImage,
    options: {
      readonly signal: AbortSignal;
      /** The archive is read, and nothing is on the disk yet. */
      readonly onUnpacked: () => Promise<void>;
      readonly onLoaded: () => void;
    },
  ): AsyncGenerator<ProgressMessage, void, void> {
    const { id, layers, names } = image;
    const { signal, onUnpacked, onLoaded } = options;
    using hold = this.#layers.hold(chainIds(image.config.diffIds));
    const progress = new ProgressQueue();
    const ended = new AbortController();
    const adding = this.#layers.add(layers, {
      signal: AbortSignal.any([signal, ended.signal]),
      onUnpacked,
      onProgress: (step) => progress.put(step),
    });
    // Awaited below; an error must not count as unhandled while messages are being read.
    void adding.catch(() => undefined).finally(() => progress.end());
    let isComplete = false;
    try {
      for await (const step of progress.read()) yield layerMessage(step);
      await adding;
      const parent = image.parent === null ? null : (this.get(image.parent)?.id ?? null);
      const { moved } = await this.publish({ configText: image.configText, names, parent });
      isComplete = true;
      onLoaded();
      for (const message of loadedMessages({ id, names, moved })) yield message;
    } finally {
      if (!isComplete) {
        ended.abort(new Error('the load was ended'));
        await Promise.allSettled([adding]);
        hold[Symbol.dispose]();
        await this.#layers.collect();
      }
    }
  }

  #namedWithTag(name: string): Reference {
    const reference = withDefaultTag(parseReference(name));
    if (reference.digest !== null) throw invalid('cannot import digest reference');
    return { ...reference, tag: reference.tag ?? 'latest', digest: null };
  }
}

function* loadedMessages(loaded: {
  readonly id: ImageId;
  readonly names: readonly Reference[];
  readonly moved: ReadonlyMap<Reference, ImageId>;
}): Generator<ProgressMessage, void, void> {
  const { id, names, moved } = loaded;
  for (const name of names) {
    const before = moved.get(name);
    if (before !== undefined) {
      yield {
        stream: `The image ${familiarReference(name)} already exists, renaming the old one with ID ${before} to empty string\n`,
      };
    }
    yield { stream: `Loaded image: ${familiarReference(name)}\n` };
  }
  if (names.length === 0) yield { stream: `Loaded image ID: ${id}\n` };
}
