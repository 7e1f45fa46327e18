/** Push: the layers that the registry lacks, the config, then the manifest that names them. The name appears there with the manifest, last. */
import type { ProgressMessage } from '../../api/images.ts';
import type { Content } from '../content/content.ts';
import type { Images } from '../images/images.ts';
import type { Reference } from '../images/reference.ts';
import type { LayerStore } from '../layers/layer-store.ts';
import type { Digest } from '../model/ids.ts';
import type { BlobSource, Credentials, Registries, Repository } from '../registry/registry.ts';
import type { BlobPlaces } from './blob-places.ts';
import { LayerPushes } from './layer-pushes.ts';
import type { Tell } from './layer-report.ts';
import { newManifest } from './manifest.ts';
import { told } from './progress-feed.ts';
import { keptManifest, type NamedImage, namesToPush, outgoingLayers } from './push-plan.ts';

export interface PushRequest {
  /** Without a tag, all tags of the repository are pushed. */
  readonly reference: Reference;
  readonly credentials: Credentials;
  readonly signal: AbortSignal;
}

export interface PushParts {
  readonly registries: { open(): Promise<Registries> };
  readonly content: Content;
  readonly layers: LayerStore;
  readonly images: Images;
  readonly places: BlobPlaces;
  /** Uploads at a time, of all pushes together. */
  readonly mostUploads: number;
  /** For steps of messages only. */
  readonly nowMs: () => number;
  /** Steps at which tests of kills end the engine. */
  readonly reach: (point: string) => void;
}

interface Push {
  readonly repository: Repository;
  readonly domain: string;
  readonly tell: Tell;
  readonly signal: AbortSignal;
}

export class Pushes {
  readonly #parts: PushParts;
  readonly #layerPushes: LayerPushes;

  constructor(parts: PushParts) {
    this.#parts = parts;
    this.#layerPushes = new LayerPushes(parts);
  }

  /** Yields docker's messages. All errors come after the first message, as dockerd's do. Ending the iteration early or aborting ends the push. */
  push(request: PushRequest): AsyncGenerator<ProgressMessage, void, void> {
    const { reference, credentials } = request;
    return told(async (tell, signal) => {
      const { domain, path } = reference;
      tell({ status: `The push refers to repository [${domain}/${path}]` });
      const named = namesToPush(reference, this.#parts.images);
      const registries = await this.#parts.registries.open();
      const repository = registries.repository(reference, credentials, 'push');
      for (const one of named) await this.#pushOne(one, { repository, domain, tell, signal });
    }, request.signal);
  }

  async #pushOne({ name, image }: NamedImage, push: Push): Promise<void> {
    const { images, layers, reach } = this.#parts;
    const { repository, tell, signal } = push;
    const stack = images.layers(image.id).toReversed();
    using _layers = layers.hold(stack.map(({ chainId }) => chainId));
    const source = images.source(image.id);
    // First of all: a registry that cannot be reached or refuses us says so before anything is packed.
    const hasConfig = await repository.hasBlob(image.id, { signal });
    reach('push:begun');
    const sent = await this.#layerPushes.send(outgoingLayers(stack, source), push);
    reach('push:layers');
    const config = Buffer.from(source.configText);
    // The registry takes no manifest before its config.
    if (!hasConfig) await repository.putBlob(() => bytesOf(config, image.id), { signal });
    const manifest = keptManifest(source, sent) ?? newManifest({ digest: image.id, sizeBytes: config.length }, sent);
    await repository.putManifest(name.tag ?? 'latest', { ...manifest, sizeBytes: manifest.bytes.length }, { signal });
    reach('push:done');
    const layerBlobs = stack.flatMap(({ diffId }, index) => {
      const descriptor = sent[index];
      return descriptor === undefined ? [] : [{ ...descriptor, diffId }];
    });
    const digests = [{ ...name, tag: null, digest: manifest.digest }];
    // It may have been removed meanwhile: what was sent is sent all the same.
    if (images.get(image.id) !== null)
      await images.publish({ configText: source.configText, names: [], digests, manifests: [manifest], layerBlobs });
    const Tag = name.tag ?? 'latest';
    tell({ status: `${Tag}: digest: ${manifest.digest} size: ${manifest.bytes.length}` });
    tell({ progressDetail: {}, aux: { Tag, Digest: manifest.digest, Size: manifest.bytes.length } });
  }
}

function bytesOf(bytes: Buffer, digest: Digest): BlobSource {
  async function* whole(): AsyncGenerator<Buffer, void, void> {
    yield bytes;
  }
  return { bytes: whole(), result: () => ({ digest, sizeBytes: bytes.length }) };
}
