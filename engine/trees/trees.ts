/**
 * The contract of the trees room: looking into containers' file trees and changing them, for cp, export, diff, commit,
 * copy-up and sizes. All of it happens in processes of its own (`tree-workers.ts`), so that a large tree neither stops
 * the event loop nor swells the engine's heap.
 *
 *     const view = { root: root.merged, mounts: [], isRootReadOnly: false };
 *     const { stat, content } = await trees.pack(view, '/etc', signal);
 *     for await (const chunk of content) response.write(chunk);
 *
 * What is inside a tree comes from strangers and may change while we look: nothing in it is reached by a path that was
 * checked before it was used. See README.md.
 */
import type { DeviceMount } from '../kernel/mount.ts';
import type { LayerTarget, Unpacked } from '../layers/unpack-protocol.ts';

export interface Trees {
  /** What is at `path`; the last part of the path is not followed when it is a link, unless it ends in `/` or `/.`. Throws `not-found`. */
  stat(view: View, path: string): Promise<PathStat>;
  /** The same with a tar of it, as `docker cp` wants it. `content` must be read to its end, or ended, or `signal` aborted; each piece is good until the next is asked for. */
  pack(
    view: View,
    path: string,
    signal: AbortSignal,
  ): Promise<{ readonly stat: PathStat; readonly content: AsyncIterable<Buffer> }>;
  /** A tar of everything below `root`, which is a trusted folder; to be read as that of `pack` is. */
  packAll(root: string, signal: AbortSignal): Promise<AsyncIterable<Buffer>>;
  /**
   * Unpacks a tar (plain, gzip, zstd, bzip2, xz) into the directory at `path`, links followed. Throws `not-found`, `invalid` (no
   * directory, read-only, a broken archive, one that leads out), `internal` (no space). What was written before stays.
   */
  unpack(view: View, into: UnpackInto, content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>;
  /** Fills an empty folder with what the tree `root` has at `path`, links followed inside; does nothing when the folder is not empty or there is no such directory. */
  copyUp(from: { readonly root: string; readonly path: string }, folder: string): Promise<void>;
  /** What an overlay's `upper` changes of its `lowers` (topmost first), in the order of the alphabet. */
  changes(layers: OverlayFolders): Promise<readonly Change[]>;
  /** What is in an overlay's `upper`, as a layer with its recipe: read and written in one go. See `writeLayer`. */
  writeChanges(upper: string, target: LayerTarget, signal: AbortSignal): Promise<Unpacked>;
  /** Bytes of the files below each folder, each file counted once; 0 for a folder that is not there. */
  measure(folders: readonly string[]): Promise<readonly number[]>;
  /** Bytes of the disk that each path takes with all that is below it, as `du -x` counts: whole blocks, a file once; 0 for one that is not there. */
  usage(paths: readonly string[]): Promise<readonly number[]>;
  /**
   * Copies a tree with all that an overlay keeps in it (whiteouts, opaque directories), to a folder that is not there yet; blocks
   * are shared where the file system can. It is on the disk when this resolves; returns the bytes of its files. Nothing is left when it throws.
   */
  copyTree(from: string, to: string): Promise<number>;
  /** A mount that may wait for a server. */
  mountDevice(device: DeviceMount): Promise<void>;
}

/** A container's tree with the volumes and binds that it sees. Targets are paths inside; the rest are trusted paths of the host. */
export interface View {
  readonly root: string;
  readonly isRootReadOnly: boolean;
  /** Parents before what lies in them. */
  readonly mounts: readonly ViewMount[];
}

export interface ViewMount {
  readonly source: string;
  /** Below `source`; links in it may not lead out. Empty: all of it. */
  readonly subpath: string;
  readonly target: string;
  readonly isReadOnly: boolean;
  readonly isRecursive: boolean;
}

export interface UnpackInto {
  readonly path: string;
  /** A directory never takes the place of something else, nor the other way round. */
  readonly keepsKinds: boolean;
  /** Who gets everything; null: whom the archive names. */
  readonly owner: { readonly userId: number; readonly groupId: number } | null;
}

/** What docker's clients read from `X-Docker-Container-Path-Stat`. */
export interface PathStat {
  readonly name: string;
  readonly size: number;
  /** Go's FileMode, not the kernel's. */
  readonly mode: number;
  /** RFC 3339. */
  readonly mtime: string;
  /** Where a link leads inside the tree, as far as it can be followed; else empty. */
  readonly linkTarget: string;
}

export interface OverlayFolders {
  readonly upper: string;
  /** Topmost first. */
  readonly lowers: readonly string[];
}

export interface Change {
  readonly path: string;
  readonly kind: 'modified' | 'added' | 'deleted';
}
