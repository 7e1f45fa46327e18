import { createHash } from 'node:crypto';
import { type ChainId, type DiffId, type Digest, parseChainId } from '../model/ids.ts';
import type { LayerTarget, Unpacked } from './unpack-protocol.ts';
import type { LayerSource } from './unpack-workers.ts';

export interface Layer {
  readonly chainId: ChainId;
  readonly diffId: DiffId;
  /** Null for the bottom layer of a stack. */
  readonly parent: ChainId | null;
  /** Absolute. */
  readonly folder: string;
  /** Of the files that this layer adds. */
  readonly sizeBytes: number;
  /** Of the file beside the folder; null: an older engine unpacked it, and kept none. */
  readonly recipeBytes: number | null;
  /** Of its tar, uncompressed; null: an older engine unpacked it, and did not count. */
  readonly tarBytes: number | null;
}

/** A layer of which nobody knows the digest yet: a tar that comes (`onRead`: all of it was read), or what somebody writes into its place. */
export type NewLayer = { readonly source: LayerSource; readonly onRead: () => void } | { readonly write: WriteLayer };

/** Called again when room had to be made for it. See `write-layer.ts`. */
export type WriteLayer = (target: LayerTarget, signal: AbortSignal) => Promise<Unpacked>;

/** A layer that comes in. */
export interface IncomingLayer {
  readonly diffId: DiffId;
  /** A growing one is followed: what is there is unpacked while the rest comes. When its growth fails, so does `add`. */
  readonly source: LayerSource;
  /** Of the source as it is, compressed or not; null when nobody told one, or somebody else checks it. */
  readonly blobDigest: Digest | null;
}

export interface AddOptions {
  readonly signal: AbortSignal;
  /**
   * `soon`: not waited for until it is on the disk; for what can be had again and nobody else needs. Layers that are there already may be
   * so, too. Default: `written`, all of the stack.
   */
  readonly durability?: 'written' | 'soon';
  readonly onProgress: (progress: {
    readonly diffId: DiffId;
    readonly readBytes: number;
    readonly totalBytes: number;
  }) => void;
  /** All of the stack are there, though not on the disk yet: no source is read any more. */
  readonly onUnpacked?: () => Promise<void>;
  /** A layer that was not there is complete: once each, in the order in which they end. */
  readonly onAdded?: (chainId: ChainId) => void;
}

/** Source: OCI image spec, "Layer ChainID". Bottom first, one for each diff id. */
export function chainIds(diffIds: readonly DiffId[]): readonly ChainId[] {
  const chain: ChainId[] = [];
  for (const diffId of diffIds) chain.push(chainIdOn(chain.at(-1) ?? null, diffId));
  return chain;
}

export function chainIdOn(below: ChainId | null, diffId: DiffId): ChainId {
  return parseChainId(
    below === null ? diffId : `sha256:${createHash('sha256').update(`${below} ${diffId}`).digest('hex')}`,
  );
}

export const recipeEnding = '.recipe';

/** Beside the folder. */
export function recipeOfFolder(folder: string): string {
  return `${folder}${recipeEnding}`;
}

/** Beside the folder, until the layer is finished: late work that is too much to be sent. */
export function lateWorkFile(folder: string): string {
  return `${folder}.late`;
}
