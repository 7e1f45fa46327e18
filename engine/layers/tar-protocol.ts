/** What the engine says to its tar program, which streams one layer at a time over descriptor 4, and what that answers. */
import type { Digest, DiffId } from '../model/ids.ts';

/** `gzip` as registries have most layers; `level`: of the compression, its own default when none is given. */
export interface Packing {
  readonly kind: 'none' | 'gzip' | 'zstd';
  readonly level?: number;
}

export interface TarJob {
  /** Absolute paths: of the tree and its recipe, or of a blob that inflates to the tar. */
  readonly from: { readonly folder: string; readonly recipe: string } | { readonly blob: string };
  /** What the tar's digest must be; null: nobody knows. */
  readonly diffId: DiffId | null;
  readonly packing: Packing;
}

export type TarReport =
  /** All bytes are written, so many, and the tar has its digest. `digest`, `sizeBytes`: of the bytes as they were sent. */
  | { readonly kind: 'done'; readonly digest: Digest; readonly sizeBytes: number }
  | { readonly kind: 'failed'; readonly message: string };
