/** What the engine and its unpack program say to each other. One job at a time: an answer to each `unpack`, `finish` or `remove`. */
import type { Digest, DiffId } from '../model/ids.ts';
import type { LateWork } from './apply/late-work.ts';

/** Bytes of a file: a layer as it stands in a blob or inside an archive. */
export interface FileSlice {
  /** Absolute path. */
  readonly file: string;
  readonly offset: number;
  readonly sizeBytes: number;
}

/** A source as the program reads it. */
export interface SourceFile {
  /** Absolute; the first that is there. A growing file is renamed when it is complete, so it has two places. */
  readonly files: readonly string[];
  readonly offset: number;
  readonly availableBytes: number;
  /** No more comes than is available. */
  readonly isComplete: boolean;
}

export type UnpackRequest =
  | (LayerTarget & {
      readonly verb: 'unpack';
      readonly source: SourceFile;
      /** Digest of the source as it is; null when nobody told one. */
      readonly blobDigest: Digest | null;
      /** Digest that the uncompressed tar must have; null when nobody knows it yet. */
      readonly diffId: DiffId | null;
    })
  /** More of a growing source is there. */
  | { readonly verb: 'grown'; readonly availableBytes: number; readonly isComplete: boolean }
  /** The layers below are there: absolute folders, topmost first. */
  | { readonly verb: 'finish'; readonly folder: string; readonly lowers: readonly string[] }
  /** Names in `root`, absolute: they go, with all that is below. */
  | ({ readonly verb: 'remove' } & Removal);

export interface Removal {
  readonly root: string;
  readonly names: readonly string[];
}

/** Where a layer is written to: absolute paths of what is not there yet, and is deleted again by who writes it when that fails. */
export interface LayerTarget {
  readonly folder: string;
  readonly recipe: string;
}

export interface Unpacked {
  /** Of the uncompressed tar. */
  readonly diffId: DiffId;
  readonly tarBytes: number;
  /** Of the files that the layer adds. */
  readonly sizeBytes: number;
  /** Of the recipe's file. */
  readonly recipeBytes: number;
  /** What is to be done when the layers below are there. `much`: it is in the file beside the folder (`lateWorkFile`), for `finish`. */
  readonly work: LateWork | 'much';
}

export type UnpackReport =
  /** So much of the source is read. */
  | { readonly kind: 'progress'; readonly readBytes: number }
  /** Folder and recipe are written, and the digests are right. */
  | ({ readonly kind: 'unpacked' } & Unpacked)
  /** `copiedBytes`: of files that were copied up. */
  | { readonly kind: 'finished'; readonly copiedBytes: number }
  | { readonly kind: 'removed' }
  | { readonly kind: 'failed'; readonly reason: FailureReason; readonly message: string };

/** `broken`: the archive is to blame. `no-space`: the disk. `failed`: anything else. */
export type FailureReason = 'broken' | 'no-space' | 'failed';
