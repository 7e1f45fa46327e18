import type { Content } from '../content/content.ts';
import type { LayerStore } from '../layers/layer-store.ts';
import { chainIds } from '../layers/layer-store.ts';
import { EngineError, notFound } from '../model/errors.ts';
import type { Image } from './image.ts';
import { isIdOrPrefix } from './image-catalogue.ts';
import type { Images, SavedArchive, SaveOptions } from './images.ts';
import { type SavedImage, savedImage } from './archive/saved-image.ts';
import { writeArchive } from './archive/write-archive.ts';
import { formatReference, parseReference, type Reference } from './reference.ts';
import { platformFits } from './wanted-platform.ts';

interface Wanted {
  readonly image: Image;
  readonly names: Map<string, Reference>;
}

/** See `Images.save`. */
export async function saveImages(
  names: readonly string[],
  parts: {
    readonly images: Pick<Images, 'resolve' | 'source' | 'list'>;
    readonly layers: LayerStore;
    readonly content: Pick<Content, 'findOf' | 'hold'>;
  },
  { platforms, signal }: SaveOptions,
): Promise<SavedArchive> {
  const wanted = new Map<string, Wanted>();
  for (const name of names) {
    for (const { image, references } of chosen(name, parts.images)) {
      if (platforms.length > 0 && !platforms.some((platform) => platformFits(image.config, platform))) {
        const shown = platforms.map((platform) => platform.shown).join(', ');
        throw notFound(`no suitable export target found for platform ${shown}`);
      }
      const known = wanted.get(image.id) ?? { image, names: new Map<string, Reference>() };
      wanted.set(image.id, known);
      for (const reference of references) known.names.set(formatReference(reference), reference);
    }
  }
  const all = [...wanted.values()];
  return { images: all.map(({ image }) => image.id), bytes: archive(all, parts, signal) };
}

async function* archive(
  wanted: readonly Wanted[],
  parts: Parameters<typeof saveImages>[1],
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  const { images, layers, content } = parts;
  const sources = wanted.map(({ image }) => images.source(image.id));
  using _layers = layers.hold(wanted.flatMap(({ image }) => chainIds(image.config.diffIds)));
  using _blobs = content.hold(sources.flatMap(({ layerBlobs }) => layerBlobs.map(({ digest }) => digest)));
  const saved: SavedImage[] = [];
  for (const [index, { image, names }] of wanted.entries()) {
    const source = sources[index];
    if (source !== undefined)
      saved.push(await savedImage({ image, names: [...names.values()], source }, { layers, content }, signal));
  }
  yield* writeArchive(saved, { layers, signal });
}

/** What one name stands for, with the tags that are written for it. */
function chosen(
  text: string,
  images: Pick<Images, 'resolve' | 'list'>,
): readonly { readonly image: Image; readonly references: readonly Reference[] }[] {
  const reference = nameOrNull(text);
  if (reference !== null && reference.tag === null && reference.digest === null) {
    const isOf = (one: Reference): boolean => one.domain === reference.domain && one.path === reference.path;
    const tagged = images.list().flatMap(({ image }) => {
      const references = image.references.filter(isOf);
      return references.length === 0 ? [] : [{ image, references }];
    });
    if (tagged.length > 0) return tagged;
  }
  const image = resolved(text, images);
  const isTag = reference !== null && reference.tag !== null && reference.digest === null;
  return [{ image, references: isTag && !isIdOrPrefix(text, image.id) ? [reference] : [] }];
}

/** Docker says here what was asked for, without a tag of its own. */
function resolved(text: string, images: Pick<Images, 'resolve'>): Image {
  try {
    return images.resolve(text);
  } catch (error) {
    if (error instanceof EngineError && error.kind === 'not-found') throw notFound(`No such image: ${text}`);
    throw error;
  }
}

/** Null for a full id, which can be no name. */
function nameOrNull(text: string): Reference | null {
  return /^(?:sha256:)?[0-9a-f]{64}$/.test(text) ? null : parseReference(text);
}
