/** What a push sends: which names, and of each layer the forms in which registries may have it already. */
import type { ImageSource, LayerBlob, Images } from '../images/images.ts';
import type { Image } from '../images/image.ts';
import { familiarName, familiarReference, type Reference } from '../images/reference.ts';
import type { Layer } from '../layers/layer-store.ts';
import { invalid, notFound } from '../model/errors.ts';
import { type Descriptor, parseManifest } from './manifest.ts';

export interface NamedImage {
  /** With a tag. */
  readonly name: Reference;
  readonly image: Image;
}

/** A layer to be sent, in the forms that it is known in: the one that a registry gave us first. */
export interface OutgoingLayer {
  readonly layer: Layer;
  readonly blobs: readonly LayerBlob[];
}

/** As many forms are asked for; each costs a request. */
const mostForms = 3;

/** The names to push: one tag, or all of a repository. Throws in dockerd's words when there are none. */
export function namesToPush(reference: Reference, images: Images): readonly NamedImage[] {
  if (reference.digest !== null) throw invalid('cannot push a digest reference');
  const named = images
    .list()
    .flatMap(({ image }) => image.references.map((name) => ({ name, image })))
    .filter(({ name }) => name.domain === reference.domain && name.path === reference.path);
  if (named.length === 0) throw notFound(`An image does not exist locally with the tag: ${familiarName(reference)}`);
  const wanted = named.filter(({ name }) => reference.tag === null || name.tag === reference.tag);
  if (wanted.length === 0) throw notFound(`tag does not exist: ${familiarReference(reference)}`);
  return wanted.toSorted((a, b) => ((a.name.tag ?? '') < (b.name.tag ?? '') ? -1 : 1));
}

/** Bottom first. */
export function outgoingLayers(layers: readonly Layer[], source: ImageSource): readonly OutgoingLayer[] {
  return layers.map((layer) => ({
    layer,
    blobs: source.layerBlobs.filter(({ diffId }) => diffId === layer.diffId).slice(0, mostForms),
  }));
}

/**
 * The manifest that this image came or went with before, when it names these very blobs: it keeps its digest then. Null when
 * none does.
 */
export function keptManifest(
  source: ImageSource,
  layers: readonly Descriptor[],
): ImageSource['manifests'][number] | null {
  return (
    source.manifests.find((stored) => {
      const manifest = parseManifest(stored, stored.digest);
      return (
        manifest.kind === 'image' &&
        manifest.layers.length === layers.length &&
        manifest.layers.every(({ digest }, index) => digest === layers[index]?.digest)
      );
    }) ?? null
  );
}
