/**
 * The contract of the images room. An *image* is a config and the layers that it names; a *reference* is a name for one.
 * Images come in by `publish`, whole or not at all: a load, a pull, an import, a commit put their layers into the store first.
 *
 *     for await (const message of images.load(archive, { signal })) show(message);
 *     const image = images.resolve('hello');            // throws "No such image: hello:latest"
 *     const folders = images.lowers(image.id);          // for an overlay, topmost first
 *     await images.remove('hello', { isForced: false, keepsParents: false, usersOf });
 */
import type { ProgressMessage } from '../../api/images.ts';
import type { Filters } from '../model/filters.ts';
import type { ChainId, ContainerId, DiffId, Digest, ImageId } from '../model/ids.ts';
import type { Layer, WriteLayer } from '../layers/layer-store.ts';
import type { Image } from './image.ts';
import type { SharedSizes } from './shared-sizes.ts';
import type { WantedPlatform } from './wanted-platform.ts';
import type { Reference } from './reference.ts';

export interface Images {
  /**
   * Reads an archive as `docker save`, skopeo or buildx write it (docker's form, an OCI layout, or both in one), plain,
   * or compressed (gzip, zstd, xz, bzip2), entries in any order. Yields docker's messages. Each image appears whole or not at all: the first that
   * is broken ends the load with an error and leaves nothing of itself; those before it stay. Ending the iteration early
   * or aborting ends the work and leaves nothing. Throws `invalid` for a broken archive, `internal` when there is no space.
   */
  load(archive: AsyncIterable<Uint8Array>, options?: LoadOptions): AsyncGenerator<ProgressMessage, void, void>;

  /**
   * An archive as `docker save` writes it, of images by name or id: a repository stands for all of its tags, an id for none.
   * Nothing is written to the disk, and the images cannot go meanwhile. Ending the iteration early ends the work. Throws
   * `not-found` for an unknown name, or an image of none of the platforms.
   */
  save(names: readonly string[], options: SaveOptions): Promise<SavedArchive>;

  /**
   * Newest first. Keys of filters: `imageListFilterKeys`. `shown` leaves out what is nameless and only there because another
   * image was made from it. Throws `invalid` for a value that cannot be understood.
   */
  list(filters?: Filters, which?: 'all' | 'shown'): readonly ListedImage[];

  /** Bytes that images have in common. */
  sharedSizes(): SharedSizes;

  /** Finds by name, full id or a prefix of the id. Throws `not-found` in docker's words, `invalid` for what is no reference. */
  resolve(text: string): Image;

  /** Null when it is gone. */
  get(id: ImageId): Image | null;

  /**
   * The one way in: makes an image appear with all that is known of it, in one transaction. Its layers must be in the store and
   * held (`layers.hold`). It is there at once; when it resolves, no power cut takes it back. For an image that is there already, what is told is added to it. Throws `invalid` for a config that is
   * none, `internal` when a layer is missing.
   */
  publish(request: PublishRequest): Promise<PublishedImage>;

  /** What to send on of an image: its config as it was written, and what registries have of it. Throws `not-found`. */
  source(id: ImageId): ImageSource;

  /** Gives a name to an image; a name that stood elsewhere moves. Returns it in its short form. Rejects with `not-found`, `invalid`. */
  tag(
    source: string,
    target: { readonly repository: string; readonly tag: string | null },
  ): Promise<{ readonly image: Image; readonly name: string }>;

  /**
   * Takes a name away and, with the last name, the image, the nameless ones that it was made from, and the layers that nothing
   * else needs. In docker's order, with docker's conflicts (`conflict`): running containers and images made from it always
   * hold an image, stopped containers unless forced.
   */
  remove(text: string, options: RemoveOptions): Promise<readonly RemovedImage[]>;

  /**
   * Removes what nobody needs. Keys of filters: `imagePruneFilterKeys`. Throws `conflict` while another prune runs, `invalid`
   * for a value that cannot be understood.
   */
  prune(filters: Filters, options: Pick<RemoveOptions, 'usersOf'>): Promise<readonly RemovedImage[]>;

  /** What `prune` would choose now. */
  prunable(filters: Filters, options: Pick<RemoveOptions, 'usersOf'>): readonly Image[];

  /**
   * Makes an image of one new layer, alone or on top of all those of another. Throws `not-found`, `invalid` for a name that is
   * none or a tar that is broken, `internal` when there is no space; nothing is left when it throws.
   */
  make(request: MakeRequest): Promise<PublishedImage>;

  /** The image's layers, topmost first. Throws `not-found`. */
  layers(id: ImageId): readonly Layer[];

  /** Folders of the image's layers, topmost first, absolute. Empty for an image without layers. */
  lowers(id: ImageId): readonly string[];
}

export interface PublishRequest {
  /** Byte for byte: its digest is the id. */
  readonly configText: string;
  /** Names to give it, all with a tag; one that stood elsewhere moves. */
  readonly names: readonly Reference[];
  /** Whether somebody gave it the names here (a commit does), and it did not bring them along. */
  readonly isNamedHere?: boolean;
  /** It can be pulled again: nobody waits until it is on the disk, unless it takes a name from another image. */
  readonly isRepeatable?: boolean;
  /** What it is called by digest, all `name@digest`: of the manifest or index that was pulled or pushed. */
  readonly digests?: readonly Reference[];
  /** The manifest of this very image, for its platform: a later push of it keeps its digest. */
  readonly manifests?: readonly StoredManifest[];
  /** Compressed forms of its layers that registries have; their bytes need not be in the content store. */
  readonly layerBlobs?: readonly LayerBlob[];
  /** The image that it was committed or built from. Null or left out: none, or nobody knows. */
  readonly parent?: ImageId | null;
}

export interface PublishedImage {
  readonly image: Image;
  /** The names that stood on another image before, and on which. */
  readonly moved: ReadonlyMap<Reference, ImageId>;
}

export interface ImageSource {
  readonly configText: string;
  readonly manifests: readonly StoredManifest[];
  /** Of each diff id, what is known of it; the newest first. */
  readonly layerBlobs: readonly LayerBlob[];
}

export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  /** As it is: its digest counts. */
  readonly bytes: Buffer;
}

export interface LayerBlob {
  readonly diffId: DiffId;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly sizeBytes: number;
}

export interface MakeRequest {
  /** The image below, which becomes the parent; null: none. */
  readonly base: ImageId | null;
  /** The new layer: its tar, plain or compressed, or who writes it where it belongs. */
  readonly layer: AsyncIterable<Uint8Array> | WriteLayer;
  /**
   * From the config of the base, as it was written (empty when there is none), to the new one; `rootfs` is put in afterwards.
   * `added` says `nothing` for a tar without entries: the image has the layers of its base alone.
   */
  readonly config: (
    base: Readonly<Record<string, unknown>>,
    added: 'a layer' | 'nothing',
  ) => Readonly<Record<string, unknown>>;
  /** `name[:tag]`; null: the image has no name. */
  readonly name: string | null;
  readonly signal: AbortSignal;
}

export interface LoadOptions {
  readonly signal?: AbortSignal;
  /** Which images are taken, and which of an index; empty or left out: all, and of an index the one for this computer. */
  readonly platforms?: readonly WantedPlatform[];
  /** An image is there, whole. */
  readonly onLoaded?: (id: ImageId) => void;
}

export interface SaveOptions {
  /** Empty: whatever they are for. */
  readonly platforms: readonly WantedPlatform[];
  readonly signal: AbortSignal;
}

export interface SavedArchive {
  /** Each once, in the order of the archive. */
  readonly images: readonly ImageId[];
  /** To be read once. Each piece is good until the next is asked for. */
  readonly bytes: AsyncIterable<Buffer>;
}

export interface ListedImage {
  readonly image: Image;
  /** Names to show, in their short form (`hello:latest`): those that the reference filter lets pass, else all. */
  readonly names: readonly string[];
  /** As `names`, by digest. */
  readonly digests: readonly string[];
}

export interface RemoveOptions {
  readonly isForced: boolean;
  /** Whether nameless images that it was made from stay. */
  readonly keepsParents: boolean;
  /** The containers made from an image: the containers room knows them. */
  readonly usersOf: (image: ImageId) => readonly ImageUser[];
}

export interface ImageUser {
  readonly id: ContainerId;
  readonly isRunning: boolean;
}

/** One line of docker's answer, in the order of what happened. */
export type RemovedImage =
  /** By tag or digest, in its short form. */
  | { readonly kind: 'untagged'; readonly name: string; readonly image: Image }
  | { readonly kind: 'deleted'; readonly image: ImageId }
  | { readonly kind: 'deleted-layer'; readonly layer: ChainId; readonly sizeBytes: number };

export const imageListFilterKeys = ['before', 'dangling', 'label', 'label!', 'reference', 'since', 'until'];
