/**
 * The images of a store as they are asked for: by id, by name, by digest, all. What was read stays in memory until it
 * changes, since an image is looked up at every create and listed by every window: a list costs no statement for each image.
 */
import { notFound } from '../model/errors.ts';
import { type ChainId, type ImageId, parseDigest } from '../model/ids.ts';
import type { Instant } from '../model/time.ts';
import type { Image, ImageConfig } from './image.ts';
import { parseImageConfig } from './image-config.ts';
import type { DigestRow, ImageRow, ImageRows, TagRow } from './image-rows.ts';
import { familiarReference, parseReference, withDefaultTag } from './reference.ts';

interface Known {
  readonly tags: readonly TagRow[];
  readonly digests: readonly DigestRow[];
  readonly sizeBytes: number;
}

export class ImageCatalogue {
  readonly #rows: ImageRows;
  readonly #images = new Map<ImageId, Image>();
  /** A config never changes: it is what its id is the digest of. */
  readonly #configs = new Map<ImageId, ImageConfig>();
  #isWhole = false;

  constructor(rows: ImageRows) {
    this.#rows = rows;
  }

  all(): readonly Image[] {
    if (!this.#isWhole) this.#readAll();
    return [...this.#images.values()];
  }

  get(id: ImageId): Image | null {
    const known = this.#images.get(id);
    if (known !== undefined || this.#isWhole) return known ?? null;
    return this.#read(id);
  }

  /** By full id, name, digest or a prefix of the id. Throws `not-found` in docker's words, `invalid` for what is no reference. */
  resolve(text: string): Image {
    const image = this.#byId(text) ?? this.#byName(text) ?? this.#byPrefix(text);
    if (image !== null) return image;
    throw notFound(`No such image: ${isId(text) ? text : familiarReference(withDefaultTag(parseReference(text)))}`);
  }

  /** To be called for every image whose rows have changed, after the transaction. */
  refresh(id: ImageId): void {
    this.#images.delete(id);
    if (this.#read(id) === null) this.#configs.delete(id);
  }

  #byId(text: string): Image | null {
    return isId(text) ? this.get(parseDigest(text.startsWith('sha256:') ? text : `sha256:${text}`)) : null;
  }

  /** Where there are both a tag and a digest, the digest decides. */
  #byName(text: string): Image | null {
    if (isId(text)) return null;
    const reference = withDefaultTag(parseReference(text));
    const id = reference.digest === null ? this.#rows.taggedImage(reference) : this.#rows.digestedImage(reference);
    return id === null ? null : this.get(id);
  }

  #byPrefix(text: string): Image | null {
    const prefix = /^(?:sha256:)?([0-9a-f]{1,64})$/.exec(text)?.[1];
    if (prefix === undefined) return null;
    const [found, other] = this.#rows.startingWith(`sha256:${prefix}`);
    if (other !== undefined) throw notFound(`ambiguous reference: more than one image id begins with ${text}`);
    return found === undefined ? null : this.get(found);
  }

  #read(id: ImageId): Image | null {
    const row = this.#rows.find(id);
    if (row === null) return null;
    const sizeBytes = this.#rows.stackSize(row.topLayer);
    return this.#keep(row, { tags: this.#rows.tags(id), digests: this.#rows.digests(id), sizeBytes });
  }

  #readAll(): void {
    const tags = Map.groupBy(this.#rows.tags(), ({ image }) => image);
    const digests = Map.groupBy(this.#rows.digests(), ({ image }) => image);
    const layers = this.#rows.layerSizes();
    const sums = new Map<ChainId, number>();
    const sumOf = (top: ChainId | null): number => {
      let sum = 0;
      const path: ChainId[] = [];
      for (let next = top; next !== null; next = layers.get(next)?.parent ?? null) {
        const known = sums.get(next);
        if (known !== undefined) {
          sum = known;
          break;
        }
        path.push(next);
      }
      for (const chainId of path.reverse()) sums.set(chainId, (sum += layers.get(chainId)?.sizeBytes ?? 0));
      return sum;
    };
    for (const row of this.#rows.all()) {
      this.#keep(row, {
        tags: tags.get(row.id) ?? [],
        digests: digests.get(row.id) ?? [],
        sizeBytes: sumOf(row.topLayer),
      });
    }
    this.#isWhole = true;
  }

  #keep(row: ImageRow, { tags, digests, sizeBytes }: Known): Image {
    const image: Image = {
      id: row.id,
      config: this.#configOf(row),
      references: tags.map(({ reference }) => reference),
      digests: digests.map(({ reference }) => reference),
      parent: row.parent,
      topLayer: row.topLayer,
      sizeBytes,
      lastTaggedAt: tags.reduce<Instant | null>(
        (latest, { taggedAt }) => (taggedAt !== null && (latest === null || taggedAt > latest) ? taggedAt : latest),
        null,
      ),
    };
    this.#images.set(row.id, image);
    return image;
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

/** Whether a text that named this image named it by its id. */
export function isIdOrPrefix(text: string, id: ImageId): boolean {
  return text !== '' && (id.startsWith(text) || id.slice('sha256:'.length).startsWith(text));
}
