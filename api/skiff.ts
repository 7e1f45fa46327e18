/**
 * Shapes of Skiff's own endpoints, below `/skiff/v1/` (described in `skiff-v1.yaml`). Sizes are bytes, times RFC 3339 with
 * nanoseconds. A name of a file is bytes, not text: shown as UTF-8, with what is none replaced by U+FFFD; then the bytes
 * themselves stand beside it, in base64 (`nameBytes`, `pathBytes`). Requests give paths as percent-encoded bytes.
 */

export interface SkiffTally {
  /** Files, links, devices and directories. */
  readonly entries: number;
  readonly bytes: number;
}

export interface SkiffLayer {
  /** 0 is the bottom. */
  readonly index: number;
  readonly diffId: string;
  readonly chainId: string;
  /** Of the files that this layer brings. */
  readonly sizeBytes: number;
  /** The step of the image's history that made it; null where the history does not tell. */
  readonly instruction: string | null;
  readonly comment: string | null;
  readonly createdAt: string | null;
  /** Against the layers below. `bytes` of what was removed: as it was. */
  readonly added: SkiffTally;
  readonly changed: SkiffTally;
  readonly removed: SkiffTally;
  /** Of this layer, that no container of the image sees: later layers have replaced or removed them. */
  readonly wastedBytes: number;
}

export interface SkiffImageLayers {
  readonly id: string;
  readonly sizeBytes: number;
  readonly wastedBytes: number;
  /** Bottom first. */
  readonly layers: readonly SkiffLayer[];
}

export type SkiffFileKind = 'file' | 'directory' | 'symlink' | 'character-device' | 'block-device' | 'fifo';

export type SkiffChange = 'added' | 'changed' | 'removed';

export interface SkiffTreeNode {
  /** Empty for the root. */
  readonly name: string;
  readonly nameBytes?: string;
  readonly kind: SkiffFileKind;
  /** Of the file itself; 0 for everything that is no file. */
  readonly sizeBytes: number;
  /** With everything below; a file of several names counts at its first. */
  readonly totalBytes: number;
  /** What is below that is no directory. */
  readonly totalFiles: number;
  /** Permission bits with setuid, setgid and sticky: 0 to 4095. */
  readonly mode: number;
  readonly userId: number;
  readonly groupId: number;
  readonly modifiedAt: string;
  /** Where a symlink leads; for a further name of a file: its first name. */
  readonly linkTarget?: string;
  readonly linkTargetBytes?: string;
  readonly isHardLink?: true;
  /** `major:minor` of a device. */
  readonly device?: string;
  /** Index of the layer that it comes from. */
  readonly layer: number;
  /** What the layer that was asked for did to it; null: nothing (something below it may have changed). */
  readonly change: SkiffChange | null;
  /** True when `change` is set for something below. */
  readonly hasChangesBelow: boolean;
  /** Of a directory. */
  readonly childCount?: number;
  /** Of a directory that was opened; one without is asked for by its path. */
  readonly children?: readonly SkiffTreeNode[];
}

export interface SkiffTree {
  readonly id: string;
  readonly layer: number;
  readonly view: 'merged' | 'layer';
  readonly path: string;
  readonly pathBytes?: string;
  /** What is at `path`, with a page of its children. */
  readonly node: SkiffTreeNode;
  /** `after` of the next page of its children; null: there is no more. */
  readonly next: string | null;
}

export interface SkiffWastedPath {
  readonly path: string;
  readonly pathBytes?: string;
  readonly wastedBytes: number;
  /** Layers that brought bytes here which are not seen any more. */
  readonly layers: readonly number[];
  /** The last layer that replaced or removed it. */
  readonly hiddenBy: number;
}

export interface SkiffWaste {
  readonly id: string;
  readonly sizeBytes: number;
  readonly wastedBytes: number;
  /** Seen bytes over all bytes: 1 is an image without waste. */
  readonly score: number;
  /** The most wasteful first; at most `limit`. */
  readonly paths: readonly SkiffWastedPath[];
  /** How many there are. */
  readonly pathCount: number;
}

export interface SkiffFileChange {
  readonly path: string;
  readonly pathBytes?: string;
  readonly change: SkiffChange;
  readonly kind: SkiffFileKind;
  /** Before; 0 for what was added. */
  readonly fromBytes: number;
  readonly toBytes: number;
  /** What of it differs, of something changed. */
  readonly differs: readonly ('kind' | 'content' | 'mode' | 'owner' | 'link' | 'device')[];
}

export interface SkiffConfigChange {
  /** As in the image's config: `Env.PATH`, `Entrypoint`, `Labels.version`, `Architecture`. */
  readonly field: string;
  /** Null: not there. */
  readonly from: unknown;
  readonly to: unknown;
}

export interface SkiffPackageChange {
  readonly name: string;
  /** Null: not there. */
  readonly from: string | null;
  readonly to: string | null;
}

export interface SkiffComparison {
  readonly from: { readonly id: string; readonly sizeBytes: number };
  readonly to: { readonly id: string; readonly sizeBytes: number };
  /** Layers that both stand on. */
  readonly sharedLayers: number;
  readonly added: SkiffTally;
  readonly changed: SkiffTally;
  readonly removed: SkiffTally;
  /** In the order of the alphabet; a page of them. */
  readonly files: readonly SkiffFileChange[];
  /** `after` of the next page; null: there is no more. */
  readonly next: string | null;
  readonly config: readonly SkiffConfigChange[];
  /** Null when there is no database of dpkg or apk in both. */
  readonly packages: { readonly kind: 'dpkg' | 'apk'; readonly changes: readonly SkiffPackageChange[] } | null;
}

export interface SkiffSquashed {
  /** The new image; the source itself where its layers were one already. */
  readonly id: string;
  readonly source: string;
  readonly from: number;
  readonly to: number;
  readonly layersBefore: number;
  readonly layersAfter: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly savedBytes: number;
}

/** Bytes are those of the disk, in whole blocks, as `du` counts: with directories and what stands beside the files. */
export interface SkiffDisk {
  /** Everything below the engine's data root, but for file systems mounted in it. It is the sum of the `bytes` below. */
  readonly totalBytes: number;
  /** Of the file system that the data root is on. */
  readonly capacityBytes: number;
  readonly freeBytes: number;
  readonly images: {
    /** All layers, with what is needed to write their tars again; a layer of several images counts once. */
    readonly bytes: number;
    /** Of layers that no container needs. */
    readonly reclaimableBytes: number;
    /** Of layers that no image has any more, and containers still do. */
    readonly orphanBytes: number;
    readonly items: readonly SkiffDiskImage[];
  };
  readonly containers: {
    readonly bytes: number;
    readonly reclaimableBytes: number;
    readonly items: readonly SkiffDiskContainer[];
  };
  readonly volumes: {
    readonly bytes: number;
    readonly reclaimableBytes: number;
    readonly items: readonly SkiffDiskVolume[];
  };
  /** Compressed forms of layers, kept so that a push or a save need not compress again. */
  readonly compressedCopies: { readonly bytes: number; readonly count: number; readonly reclaimableBytes: number };
  /** Downloads that came to no end, kept so that the next try goes on there. */
  readonly unfinishedDownloads: { readonly bytes: number; readonly count: number; readonly reclaimableBytes: number };
  /** Database, prepared filters, what is being loaded: the engine's own. */
  readonly engine: { readonly bytes: number };
}

export interface SkiffDiskImage {
  readonly id: string;
  readonly names: readonly string[];
  /** Made from it, running or not. */
  readonly containers: number;
  readonly layers: number;
  /** All its layers: shared and unique. */
  readonly bytes: number;
  /** Of layers that other images have too. */
  readonly sharedBytes: number;
  readonly uniqueBytes: number;
  /** What its removal alone would give back. */
  readonly reclaimableBytes: number;
}

export interface SkiffDiskContainer {
  readonly id: string;
  readonly name: string;
  readonly isRunning: boolean;
  readonly image: string;
  /** With everything of it: the sum of the four below. */
  readonly bytes: number;
  readonly writtenBytes: number;
  readonly logBytes: number;
  readonly snapshotBytes: number;
  readonly otherBytes: number;
  /** What its removal would give back; 0 while it runs. */
  readonly reclaimableBytes: number;
}

export interface SkiffDiskVolume {
  readonly name: string;
  readonly bytes: number;
  readonly containers: number;
  /** 0 while a container uses it. */
  readonly reclaimableBytes: number;
}

export type SkiffReclaimable = 'compressed-copies' | 'unfinished-downloads' | 'dangling-images';

export interface SkiffReclaimed {
  /** True: nothing was deleted, this is what would be. */
  readonly isDryRun: boolean;
  readonly bytes: number;
  readonly kinds: readonly { readonly kind: SkiffReclaimable; readonly count: number; readonly bytes: number }[];
}

/** What a container had written at a moment. */
export interface SkiffSnapshot {
  readonly id: string;
  readonly container: string;
  readonly name: string;
  readonly comment: string;
  readonly createdAt: string;
  /** Of the files in it. */
  readonly sizeBytes: number;
}

export type SkiffSnapshotDiff = Pick<SkiffComparison, 'added' | 'changed' | 'removed' | 'files' | 'next'>;
