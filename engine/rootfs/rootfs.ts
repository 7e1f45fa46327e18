/**
 * The contract of the rootfs room: the root folder of a container, from its preparation to its removal. No other room
 * touches a file below a container's root.
 *
 * Life: `prepare` (folders, init layer, a row; once, at create) -> `mount` -> `unmount` (any number of times) -> `remove`.
 * All four are idempotent, so that a step that a crash interrupted is simply done again.
 *
 *     const root = await roots.prepare({ id, topLayer: image.topLayer });
 *     roots.mount(id);  // root.merged is now the container's /
 *     const passwd = readInside(root.merged, '/etc/passwd', { maxBytes: 1 << 20 });
 *     await roots.unmount(id);
 *     await roots.remove(id);
 */
import type { ChainId, ContainerId } from '../model/ids.ts';

export interface Roots {
  /** Makes the folders. Holds the layers: they outlive their image for as long as this root is there. */
  prepare(request: { readonly id: ContainerId; readonly topLayer: ChainId | null }): Promise<Root>;
  /** Throws `internal` for a root that was never prepared. */
  get(id: ContainerId): Root;
  /**
   * Mounts the overlay at `merged`; does nothing when it is mounted. `isVolatile`: for a container that is removed when it
   * ends, what it writes need not survive the computer's going down.
   */
  mount(id: ContainerId, options?: { readonly isVolatile?: boolean }): Root;
  /** Gone from the tree at once; resolves when the kernel is done with it. Does nothing when it is not mounted, or not there. */
  unmount(id: ContainerId): Promise<void>;
  isMounted(id: ContainerId): boolean;
  /** Mounts the overlay for somebody who looks into it, container running or not: it is unmounted when the last of them and the container are done. */
  hold(id: ContainerId): HeldRoot;
  /** The root's folder, prepared or not. */
  folderOf(id: ContainerId): string;
  /** Keeps an image's layers while the container is there: it has them mounted at `target`. The container must have its row. */
  keepImage(id: ContainerId, target: string, topLayer: ChainId | null): Promise<void>;
  /** Folders of the layers that were kept, topmost first. */
  imageLayers(id: ContainerId, target: string): readonly string[];
  /** Unmounts and deletes everything of the root, and lets its layers go. Does nothing when it is not there. */
  remove(id: ContainerId): Promise<void>;
  /** Bytes of the files that the container wrote, and of all files that it sees (docker's SizeRw and SizeRootFs). */
  sizes(ids: readonly ContainerId[]): Promise<readonly RootSizes[]>;
  /** At boot, after the containers are read: removes what belongs to no container of `living`. Returns what it removed. */
  collectGarbage(living: ReadonlySet<ContainerId>): Promise<readonly ContainerId[]>;
}

export interface RootSizes {
  readonly writtenBytes: number;
  readonly totalBytes: number;
}

export interface HeldRoot extends Disposable {
  readonly root: Root;
}

/** Absolute paths. `merged` is where the overlay is mounted and what an OCI spec names as root. */
export interface Root {
  readonly id: ContainerId;
  readonly folder: string;
  readonly merged: string;
  readonly upper: string;
  readonly work: string;
  /** Topmost first: the init layer, then the image's layers. */
  readonly lowers: readonly string[];
}

export { isInside, makeDirectoryInside, makeFileInside, readInside } from './inside.ts';
export { assertMountPoints } from './mount-points.ts';
