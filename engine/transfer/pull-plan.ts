/** What a pull will do: from a name to the config and the layers that it stands for, read from the registry and checked against each other. */
import { chooseManifest, hostPlatform } from '../images/archive/platform.ts';
import { parseImageConfig } from '../images/image-config.ts';
import type { StoredManifest } from '../images/images.ts';
import { familiarReference, type Reference } from '../images/reference.ts';
import type { WantedPlatform } from '../images/wanted-platform.ts';
import { chainIds } from '../layers/layer-store.ts';
import { internal, invalid } from '../model/errors.ts';
import type { ChainId, DiffId, Digest } from '../model/ids.ts';
import type { RemoteManifest, Repository } from '../registry/registry.ts';
import { assertImage, type Descriptor, type IndexManifest, parseDescriptor, parseManifest } from './manifest.ts';
import { readConfig } from './read-config.ts';

/** An image as a registry names it. */
export interface FoundImage {
  /** Of what the name stands for: the index, where there is one. It is what the image is called by. */
  readonly digest: Digest;
  /** Of this very image. */
  readonly manifest: StoredManifest;
  readonly config: Descriptor;
  /** Bottom first. */
  readonly layers: readonly Descriptor[];
}

export interface PullPlan {
  readonly repository: Repository;
  readonly configText: string;
  readonly layers: readonly PlannedLayer[];
}

export interface PlannedLayer {
  readonly descriptor: Descriptor;
  readonly diffId: DiffId;
  readonly chainId: ChainId;
}

/**
 * `onFound`: the name is there, before the right one of an index is looked up. Throws `not-found` in docker's words; `invalid` for
 * what is no image, or none for this platform.
 */
export async function findImage(
  reference: Reference,
  from: {
    readonly repository: Repository;
    /** Null: this computer's. */
    readonly platform: WantedPlatform | null;
    readonly signal: AbortSignal;
    readonly onFound: () => void;
  },
): Promise<FoundImage> {
  const { repository, signal } = from;
  const shown = familiarReference(reference);
  const top = await repository.manifest(reference.digest ?? reference.tag ?? 'latest', { signal });
  const parsed = parseManifest(top, shown);
  from.onFound();
  if (parsed.kind === 'image') {
    assertImage(parsed, shown);
    return { ...parsed, digest: top.digest, manifest: storedOf(top) };
  }
  const fitting = chooseFrom(parsed, from.platform, shown);
  const remote = await repository.manifest(fitting.digest, { signal });
  if (remote.bytes.length !== fitting.sizeBytes)
    throw invalid(`${shown}: manifest ${fitting.digest} has ${remote.bytes.length} bytes, not ${fitting.sizeBytes}`);
  const manifest = parseManifest(remote, shown);
  if (manifest.kind === 'index') throw invalid(`${shown}: an index in an index (${fitting.digest}) is not supported`);
  assertImage(manifest, shown);
  return { ...manifest, digest: top.digest, manifest: storedOf(remote) };
}

/** Reads the config. Throws `invalid` when it does not fit the manifest. */
export async function planPull(
  found: FoundImage,
  from: { readonly repository: Repository; readonly shown: string; readonly signal: AbortSignal },
): Promise<PullPlan> {
  const { repository, shown, signal } = from;
  const bytes = await readConfig(repository, found.config, signal);
  const { diffIds } = parseImageConfig(bytes);
  if (diffIds.length !== found.layers.length) {
    throw invalid(
      `${shown}: its manifest has ${found.layers.length} layers, but its config has ${diffIds.length} diff ids`,
    );
  }
  const chain = chainIds(diffIds);
  const layers = found.layers.map((descriptor, index) => {
    const [diffId, chainId] = [diffIds[index], chain[index]];
    if (diffId === undefined || chainId === undefined) throw internal(`layer ${index} of ${shown} has no diff id`);
    return { descriptor, diffId, chainId };
  });
  return { repository, configText: bytes.toString('utf8'), layers };
}

function chooseFrom(index: IndexManifest, platform: WantedPlatform | null, shown: string): Descriptor {
  return parseDescriptor(chooseManifest(index.entries, platform ?? hostPlatform()), `manifest of ${shown}`);
}

function storedOf({ digest, mediaType, bytes }: RemoteManifest): StoredManifest {
  return { digest, mediaType, bytes };
}
