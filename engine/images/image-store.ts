import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { ProgressMessage } from '../../api/images.ts';
import { chainIds, type Layer, type LayerStore } from '../layers/layer-store.ts';
import { notFound } from '../model/errors.ts';
import type { Filters } from '../model/filters.ts';
import { type ImageId, parseDigest } from '../model/ids.ts';
import type { Instant } from '../model/time.ts';
import type { Database } from '../store/database.ts';
import type { IncomingImage } from './archive/incoming-image.ts';
import { hostPlatform } from './archive/platform.ts';
import { readArchive } from './archive/read-archive.ts';
import { Spool } from './archive/spool.ts';
import type { Image, ImageConfig } from './image.ts';
import { parseImageConfig } from './image-config.ts';
import { listImages } from './image-list.ts';
import { type ImageRow, ImageRows } from './image-rows.ts';
import { writeHashed } from './hashed-file.ts';
import type { ExtendRequest, Images, ListedImage, LoadOptions, RemovedImage, RemoveOptions } from './images.ts';
import { layerMessage, ProgressQueue } from './load-progress.ts';
import { familiarReference, parseReference, type Reference, withDefaultTag } from './reference.ts';
import { planRemoval } from './remove-image.ts';

/** The images of one store (see `images.ts` for what each method promises). */
export class ImageStore implements Images {
  readonly #rows: ImageRows;
  readonly #layers: LayerStore;
  readonly #now: () => Instant;
  readonly #incoming: string;
  /** A config never changes: it is what its id is the digest of. */
  readonly #configs = new Map<ImageId, ImageConfig>();

  constructor(parts: {
    readonly database: Database;
    readonly layers: LayerStore;
    readonly dataRoot: string;
    readonly now: () => Instant;
  }) {
    this.#rows = new ImageRows(parts.database);
    this.#layers = parts.layers;
    this.#now = parts.now;
    this.#incoming = path.join(parts.dataRoot, 'incoming');
  }

  /** At boot: deletes archives that were on their way in when the engine ended, and layers that no image came to need. */
  async collectGarbage(): Promise<void> {
    rmSync(this.#incoming, { recursive: true, force: true });
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
    await using spool = await Spool.fill({ archive, file, signal });
    try {
      for await (const image of readArchive(spool, hostPlatform())) yield* this.#loadOne(image, signal);
    } finally {
      ended.abort(new Error('the load was ended'));
    }
  }

  list(filters: Filters = new Map()): readonly ListedImage[] {
    const images = this.#rows.all().map((row) => this.#imageOf(row));
    return listImages(images, filters, (text) => this.resolve(text));
  }

  resolve(text: string): Image {
    const image = this.#byId(text) ?? this.#byName(text) ?? this.#byPrefix(text);
    if (image !== null) return image;
    throw notFound(`No such image: ${isId(text) ? text : familiarReference(withDefaultTag(parseReference(text)))}`);
  }

  get(id: ImageId): Image | null {
    const row = this.#rows.find(id);
    return row === null ? null : this.#imageOf(row);
  }

  tag(source: string, target: { readonly repository: string; readonly tag: string | null }): void {
    const { id } = this.resolve(source);
    const name = target.tag === null ? target.repository : `${target.repository}:${target.tag}`;
    this.#rows.setTag(this.#namedWithTag(name), id, this.#now());
  }

  async remove(text: string, options: RemoveOptions): Promise<readonly RemovedImage[]> {
    const image = this.resolve(text);
    const plan = planRemoval({
      image,
      isForced: options.isForced,
      users: options.usersOf(image.id),
      reference: isIdOrPrefix(text, image.id) ? null : withDefaultTag(parseReference(text)),
    });
    this.#rows.transaction(() => {
      for (const reference of plan.untag) this.#rows.deleteTag(reference);
      if (plan.isDeleted) this.#rows.delete(image.id);
    });
    const untagged = plan.untag.map((reference) => ({ untagged: familiarReference(reference) }));
    if (!plan.isDeleted) return untagged;
    this.#configs.delete(image.id);
    const layers = await this.#layers.collect();
    return [...untagged, { deleted: image.id }, ...layers.map((chainId) => ({ deleted: chainId }))];
  }

  lowers(id: ImageId): readonly string[] {
    return this.layers(id).map(({ folder }) => folder);
  }

  async extend(base: ImageId, request: ExtendRequest): Promise<Image> {
    const name = request.name === null ? null : this.#namedWithTag(request.name);
    const row = this.#rows.find(base);
    if (row === null) throw notFound(`No such image: ${base}`);
    mkdirSync(this.#incoming, { recursive: true, mode: 0o700 });
    const file = path.join(this.#incoming, `${randomBytes(8).toString('hex')}.layer`);
    try {
      const { digest, sizeBytes } = await writeHashed(file, request.layer);
      const below = parseImageConfig(Buffer.from(row.configText)).diffIds;
      const changed = request.change(JSON.parse(row.configText) as Readonly<Record<string, unknown>>);
      const diffIds = [...below, digest];
      const configText = JSON.stringify({ ...changed, rootfs: { type: 'layers', diff_ids: diffIds } });
      const id = parseDigest(`sha256:${createHash('sha256').update(configText).digest('hex')}`);
      using _hold = this.#layers.hold(chainIds(diffIds));
      // Those that are there already are not read: the slice is the new one's.
      const layers = diffIds.map((diffId) => ({ diffId, blobDigest: null, source: { file, offset: 0, sizeBytes } }));
      const topLayer = await this.#layers.add(layers, { signal: request.signal, onProgress: () => undefined });
      this.#publish({ id, configText, topLayer }, name === null ? [] : [name]);
      return this.resolve(id);
    } finally {
      rmSync(file, { force: true });
    }
  }

  layers(id: ImageId): readonly Layer[] {
    const image = this.get(id);
    if (image === null) throw notFound(`No such image: ${id}`);
    return this.#layers.stack(image.topLayer);
  }

  async *#loadOne(image: IncomingImage, signal: AbortSignal): AsyncGenerator<ProgressMessage, void, void> {
    const { id, layers, names } = image;
    using hold = this.#layers.hold(chainIds(image.config.diffIds));
    const progress = new ProgressQueue();
    const ended = new AbortController();
    const adding = this.#layers.add(layers, {
      signal: AbortSignal.any([signal, ended.signal]),
      onProgress: (step) => progress.put(step),
    });
    // Awaited below; an error must not count as unhandled while messages are being read.
    void adding.catch(() => undefined).finally(() => progress.end());
    let isComplete = false;
    try {
      for await (const step of progress.read()) yield layerMessage(step);
      const topLayer = await adding;
      const moved = this.#publish({ id, configText: image.configText, topLayer }, names);
      isComplete = true;
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

  /** One transaction: the image with all of its names. Returns the names that stood on another image before. */
  #publish(row: ImageRow, names: readonly Reference[]): ReadonlyMap<Reference, ImageId> {
    return this.#rows.transaction(() => {
      const moved = new Map<Reference, ImageId>();
      this.#rows.add(row, this.#now());
      for (const name of names) {
        const before = this.#rows.taggedImage(name);
        if (before !== null && before !== row.id) moved.set(name, before);
        this.#rows.setTag(name, row.id, this.#now());
      }
      return moved;
    });
  }

  #byId(text: string): Image | null {
    return isId(text) ? this.get(parseDigest(text.startsWith('sha256:') ? text : `sha256:${text}`)) : null;
  }

  #byName(text: string): Image | null {
    if (isId(text)) return null;
    const reference = withDefaultTag(parseReference(text));
    const id = this.#rows.taggedImage(reference);
    return id === null ? null : this.get(id);
  }

  #byPrefix(text: string): Image | null {
    const prefix = /^(?:sha256:)?([0-9a-f]{1,64})$/.exec(text)?.[1];
    if (prefix === undefined) return null;
    const [found, other] = this.#rows.startingWith(`sha256:${prefix}`);
    if (other !== undefined) throw notFound(`ambiguous reference: more than one image id begins with ${text}`);
    return found === undefined ? null : this.get(found);
  }

  #namedWithTag(name: string): Reference {
    const reference = withDefaultTag(parseReference(name));
    return { ...reference, tag: reference.tag ?? 'latest', digest: null };
  }

  #imageOf(row: ImageRow): Image {
    const tags = this.#rows.tagsOf(row.id);
    const layers = this.#layers.stack(row.topLayer);
    return {
      id: row.id,
      config: this.#configOf(row),
      references: tags.map(({ reference }) => reference),
      topLayer: row.topLayer,
      sizeBytes: layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      lastTaggedAt: tags.reduce<Instant | null>(
        (latest, { taggedAt }) => (latest === null || taggedAt > latest ? taggedAt : latest),
        null,
      ),
    };
  }

  #configOf(row: ImageRow): ImageConfig {
    const known = this.#configs.get(row.id);
    if (known !== undefined) return known;
    const config = parseImageConfig(Buffer.from(row.configText));
    this.#configs.set(row.id, config);
    return config;
  }
}

/** A full id, with or without `sha256:`: it can be no name. */
function isId(text: string): boolean {
  return /^(?:sha256:)?[0-9a-f]{64}$/.test(text);
}

function isIdOrPrefix(text: string, id: ImageId): boolean {
  return text !== '' && (id.startsWith(text) || id.slice('sha256:'.length).startsWith(text));
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
