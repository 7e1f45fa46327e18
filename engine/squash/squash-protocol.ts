/** What the engine and its squash program say to each other: one job at a time. */
import type { Digest } from '../model/ids.ts';

export interface SquashJob {
  /** Absolute folders, topmost first. */
  readonly range: readonly string[];
  readonly lowers: readonly string[];
  /** Absolute; must not be there yet. */
  readonly file: string;
}

export type SquashReport =
  /** A sign of life: so much is written. */
  | { readonly kind: 'progress'; readonly writtenBytes: number }
  | { readonly kind: 'done'; readonly digest: Digest; readonly sizeBytes: number }
  | { readonly kind: 'failed'; readonly message: string };
