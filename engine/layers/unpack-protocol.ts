/** What the engine and its unpack program say to each other. One job at a time: unpack, (grown), written, finish, done. */
import type { Digest, DiffId } from '../model/ids.ts';

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
  | {
      readonly verb: 'unpack';
      readonly source: SourceFile;
      /** Digest of the slice as it is; null when nobody told one. */
      readonly blobDigest: Digest | null;
      /** Digest that the uncompressed tar must have; null when nobody knows it yet. */
      readonly diffId: DiffId | null;
      /** Absolute path; made by the program, and deleted by it when it fails. */
      readonly folder: string;
      /** Absolute path; written by the program, and deleted by it when it fails. */
      readonly recipe: string;
    }
  /** More of a growing source is there. */
  | { readonly verb: 'grown'; readonly availableBytes: number; readonly isComplete: boolean }
  /** The layers below are there: absolute folders, topmost first. */
  | { readonly verb: 'finish'; readonly lowers: readonly string[] };

export interface Unpacked {
  /** Of the uncompressed tar. */
  readonly diffId: DiffId;
  readonly tarBytes: number;
  /** Of the files that the layer adds. */
  readonly sizeBytes: number;
  /** Of the recipe's file. */
  readonly recipeBytes: number;
}

export type UnpackReport =
  /** So much of the slice is read. */
  | { readonly kind: 'progress'; readonly readBytes: number }
  /** Everything is read and its digests are right; the layers below are needed now. */
  | { readonly kind: 'written' }
  /** Folder and recipe are complete and on the disk. */
  | ({ readonly kind: 'done' } & Unpacked)
  | { readonly kind: 'failed'; readonly reason: FailureReason; readonly message: string };

/** `broken`: the archive is to blame. `no-space`: the disk. `failed`: anything else. */
export type FailureReason = 'broken' | 'no-space' | 'failed';
