/**
 * Pull: a manifest names a config and layers. The config comes first (it is small, and says what the layers unpack to), then all layers
 * side by side, each unpacked while it comes: `content` grows the file, `layers` follows it. When all are in the store, one transaction
 * makes the image appear. What fails leaves no image; the bytes that came stay for the next try.
 */
import type { ProgressMessage } from '../../api/images.ts';
import type { Content } from '../content/content.ts';
import type { Images } from '../images/images.ts';
import { familiarReference, type Reference } from '../images/reference.ts';
import { assertPlatform, type WantedPlatform } from '../images/wanted-platform.ts';
import type { LayerStore } from '../layers/layer-store.ts';
import { EngineError } from '../model/errors.ts';
import type { ImageId } from '../model/ids.ts';
import type { Credentials, Registries, Repository } from '../registry/registry.ts';
import type { BlobPlaces } from './blob-places.ts';
import type { Tell } from './layer-report.ts';
import { LayerPulls } from './layer-pulls.ts';
import { told } from './progress-feed.ts';
import { findImage, type FoundImage, planPull } from './pull-plan.ts';

export interface PullRequest {
  /** With neither tag nor digest, all tags are pulled. Where there are both, the digest decides. */
  readonly reference: Reference;
  /** Null: this computer's. */
  readonly platform: WantedPlatform | null;
  readonly credentials: Credentials;
  readonly signal: AbortSignal;
}

export interface PullParts {
  readonly registries: { open(): Promise<Registries> };
  readonly content: Content;
  readonly layers: LayerStore;
  readonly images: Images;
  readonly places: BlobPlaces;
  /** Downloads at a time, of all pulls together. */
  readonly mostDownloads: number;
  /** For steps of messages only. */
  readonly nowMs: () => number;
  /** Steps at which tests of kills end the engine. */
  readonly reach: (point: string) => void;
}

/** What all names of one pull share. */
interface Pull {
  readonly repository: Repository;
  readonly platform: WantedPlatform | null;
  readonly tell: Tell;
  readonly signal: AbortSignal;
}

export class Pulls {
  readonly #parts: PullParts;
  readonly #layerPulls: LayerPulls;

  constructor(parts: PullParts) {
    this.#parts = parts;
    this.#layerPulls = new LayerPulls(parts);
  }

  /**
   * Yields docker's messages; the image is there, whole, when it ends. Errors before the first message are about the name (`not-found`,
   * `unauthorized` and others of the registry room), later ones about what came. Ending the iteration early or aborting ends the pull.
   */
  pull(request: PullRequest): AsyncGenerator<ProgressMessage, void, void> {
    const { reference, platform, credentials } = request;
    return told(async (tell, signal) => {
      const registries = await this.#parts.registries.open();
      const repository = registries.repository(reference, credentials, 'pull');
      const pull = { repository, platform, tell, signal };
      let isNewer = false;
      for await (const name of namesOf(reference, pull)) isNewer = (await this.#pullOne(name, pull)) || isNewer;
      const shown = familiarReference(reference);
      tell({ status: `Status: ${isNewer ? 'Downloaded newer image' : 'Image is up to date'} for ${shown}` });
      this.#warnOfPlatform(reference, platform, tell);
    }, request.signal);
  }

  /** Returns whether the name stands on another image than before. */
  async #pullOne(reference: Reference, pull: Pull): Promise<boolean> {
    const { images, places, reach } = this.#parts;
    const { repository, tell } = pull;
    const shown = familiarReference(reference);
    const found = await findImage(reference, {
      ...pull,
      onFound: () => tell({ status: `Pulling from ${reference.path}`, id: idOf(reference) }),
    });
    const names = reference.digest === null ? [reference] : [];
    const digests = [{ ...reference, tag: null, digest: found.digest }];
    const before = this.#standing(reference);
    const manifests = [found.manifest];
    const known = images.get(found.config.digest);
    if (known === null) await this.#fetch(found, { ...pull, shown, names, digests });
    else await images.publish({ configText: images.source(known.id).configText, names, digests, manifests });
    reach('pull:published');
    places.note(
      found.layers.map(({ digest }) => digest),
      repository.name,
    );
    tell({ status: `Digest: ${found.digest}` });
    return before !== found.config.digest;
  }

  async #fetch(
    found: FoundImage,
    pull: Pull & {
      readonly shown: string;
      readonly names: readonly Reference[];
      readonly digests: readonly Reference[];
    },
  ): Promise<void> {
    const { content, layers, images, reach } = this.#parts;
    const { names, digests } = pull;
    layers.prepare();
    const plan = await planPull(found, pull);
    reach('pull:begun');
    using hold = layers.hold(plan.layers.map(({ chainId }) => chainId));
    using _blobs = content.hold(plan.layers.map(({ descriptor }) => descriptor.digest));
    try {
      await this.#layerPulls.fetch(plan, pull.tell, pull.signal);
      reach('pull:unpacked');
      await images.publish({
        configText: plan.configText,
        isRepeatable: true,
        names,
        digests,
        manifests: [found.manifest],
        layerBlobs: plan.layers.map(({ descriptor, diffId }) => ({ ...descriptor, diffId })),
      });
    } catch (error) {
      hold[Symbol.dispose]();
      await layers.collect();
      throw error;
    }
  }

  #standing(reference: Reference): ImageId | null {
    try {
      return this.#parts.images.resolve(familiarReference(reference)).id;
    } catch (error) {
      if (error instanceof EngineError && error.kind === 'not-found') return null;
      throw error;
    }
  }

  /** As dockerd: an image of one platform is pulled whatever was asked for, and who asked is told. */
  #warnOfPlatform(reference: Reference, platform: WantedPlatform | null, tell: Tell): void {
    if (platform === null || (reference.tag === null && reference.digest === null)) return;
    const id = this.#standing(reference);
    const image = id === null ? null : this.#parts.images.get(id);
    if (image === null) return;
    try {
      assertPlatform(image.config, { platform, name: familiarReference(reference) });
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      tell({ status: `WARNING: ${error.message}` });
    }
  }
}

async function* namesOf(reference: Reference, pull: Pull): AsyncGenerator<Reference, void, void> {
  if (reference.tag !== null || reference.digest !== null) yield reference;
  else for await (const tag of pull.repository.tags({ signal: pull.signal })) yield { ...reference, tag };
}

function idOf(reference: Reference): string {
  return reference.digest === null ? (reference.tag ?? '') : familiarReference(reference);
}
