/**
 * What an archive has of one image: its config, a manifest, and each layer in one of its forms. A layer whose blob is in the
 * content store goes out as it came, compressed, since that is a mere copy; any other is put together again, plain.
 */
import { createHash } from 'node:crypto';
import type { Content } from '../../content/content.ts';
import type { LayerStore } from '../../layers/layer-store.ts';
import { type ChainId, type Digest, type DiffId, parseDigest } from '../../model/ids.ts';
import type { Image } from '../image.ts';
import type { ImageSource, LayerBlob, StoredManifest } from '../images.ts';
import type { Reference } from '../reference.ts';

export interface SavedImage {
  readonly image: Image;
  /** The names to write: all with a tag. */
  readonly names: readonly Reference[];
  readonly config: Buffer;
  readonly manifest: StoredManifest;
  /** Bottom first. */
  readonly layers: readonly SavedLayer[];
}

export interface SavedLayer {
  readonly chainId: ChainId;
  readonly diffId: DiffId;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly sizeBytes: number;
  /** Absolute; null: it is put together while it is written. */
  readonly blob: string | null;
}

export async function savedImage(
  wanted: { readonly image: Image; readonly names: readonly Reference[]; readonly source: ImageSource },
  stores: { readonly layers: LayerStore; readonly content: Pick<Content, 'findOf'> },
  signal: AbortSignal,
): Promise<SavedImage> {
  const { image, names, source } = wanted;
  const config = Buffer.from(source.configText);
  const stack = [...stores.layers.stack(image.topLayer)].reverse();
  const saved: SavedLayer[] = [];
  for (const { chainId, diffId } of stack) {
    const known = stores.content.findOf(diffId);
    const blob = source.layerBlobs.find(
      (one) => one.diffId === diffId && known.some(({ digest }) => digest === one.digest),
    );
    const file = known.find(({ digest }) => digest === blob?.digest)?.file;
    saved.push(
      blob === undefined || file === undefined
        ? await plainLayer(stores.layers, { chainId, diffId }, signal)
        : { chainId, ...blob, blob: file },
    );
  }
  const manifest = sameManifest(source.manifests, image, saved) ?? newManifest(config, saved);
  return { image, names, config, manifest, layers: saved };
}

async function plainLayer(
  layers: LayerStore,
  { chainId, diffId }: { readonly chainId: ChainId; readonly diffId: DiffId },
  signal: AbortSignal,
): Promise<SavedLayer> {
  const sizeBytes = await layers.tarBytes(chainId, signal);
  const mediaType = 'application/vnd.oci.image.layer.v1.tar';
  return { chainId, diffId, digest: diffId, mediaType, sizeBytes, blob: null };
}

/** The manifest that it came with, when all that it names can be had: then who loads the archive can push it with the same digest. */
function sameManifest(
  manifests: readonly StoredManifest[],
  image: Image,
  layers: readonly Pick<LayerBlob, 'digest'>[],
): StoredManifest | null {
  const digests = layers.map(({ digest }) => digest).join();
  const fits = ({ bytes }: StoredManifest): boolean => {
    const document = JSON.parse(bytes.toString()) as {
      readonly config?: { readonly digest?: string };
      readonly layers?: readonly { readonly digest?: string }[];
    }; // read and checked when it came
    return document.config?.digest === image.id && document.layers?.map(({ digest }) => digest).join() === digests;
  };
  return manifests.find(fits) ?? null;
}

function newManifest(config: Buffer, layers: readonly SavedLayer[]): StoredManifest {
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: ociManifest,
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: digestOf(config),
        size: config.length,
      },
      layers: layers.map(({ mediaType, digest, sizeBytes }) => ({ mediaType, digest, size: sizeBytes })),
    }),
  );
  return { digest: digestOf(bytes), mediaType: ociManifest, bytes };
}

const ociManifest = 'application/vnd.oci.image.manifest.v1+json';

function digestOf(bytes: Buffer): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
}
