/**
 * The contract of the content room: bytes that are known by their digest (layers as a registry keeps them).
 * A blob is there when its row is there; what is on its way is an *ingest*, which survives a crash and is taken up again.
 *
 *     using hold = content.hold([digest]);
 *     await using ingest = await content.ingest({ digest, sizeBytes, signal });
 *     const unpacking = layers.add([{ diffId, source: ingest, blobDigest: digest }], …);   // follows while it grows
 *     if (ingest.offset !== sizeBytes) for await (const chunk of bytesFrom(ingest.offset)) await ingest.write(chunk);
 *     const blob = await ingest.commit();
 */
import type { DiffId, Digest } from '../model/ids.ts';
import type { GrowingFile } from './growth.ts';

export interface Blob {
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** Absolute, read-only. */
  readonly file: string;
}

export interface Content {
  /** Null when it is not there, or not there any more. Hold it before relying on its file. */
  find(digest: Digest): Blob | null;

  /** The blobs that inflate to this layer's tar (`layer_blobs`) and are there. */
  findOf(diffId: DiffId): readonly Blob[];

  /**
   * Opens the ingest of a blob, with what an earlier try left of it. One writer for each digest: who comes second waits for
   * the first to end, or until `signal`. A blob that is there gives an ingest that is complete: `commit` it.
   * `sizeBytes` null: nobody told one.
   */
  ingest(request: {
    readonly digest: Digest;
    readonly sizeBytes: number | null;
    readonly signal: AbortSignal;
  }): Promise<Ingest>;

  /** While a hold is there, these blobs are not collected. */
  hold(digests: readonly Digest[]): Disposable;

  /**
   * Deletes the blobs that nothing needs: those of no layer (`layer_blobs`) that is in the store. Returns their bytes.
   * Those that no image ever came of (a pull that was cut) stay for a day, but not with `isThorough`, which also deletes ingests.
   * With `isSparing`, also those whose layers can be put together again from what is unpacked.
   */
  collect(options?: { readonly isSparing: boolean; readonly isThorough?: boolean }): Promise<number>;

  /** What a collection would delete now: `copies` with `isSparing`, of layers that can be put together again; `unfinished` with `isThorough`, of downloads that came to no end. */
  collectable(): { readonly copies: ContentSum; readonly unfinished: ContentSum };
}

export interface ContentSum {
  readonly count: number;
  readonly bytes: number;
}

/**
 * A blob on its way; a layer's unpack may follow it (`IncomingLayer.source`), and fails when it is disposed before
 * `commit`. Disposing without `commit` keeps what is there for the next try.
 */
export interface Ingest extends GrowingFile, AsyncDisposable {
  /** Bytes that are there: where the next write goes. */
  readonly offset: number;
  /**
   * Throws `internal` ("no space left on device") when the disk is full even without the blobs that can be spared: what was
   * there is deleted then, so that the disk is not kept full. Throws `invalid` for more bytes than were told.
   */
  write(chunk: Uint8Array): Promise<void>;
  /** Found when this resolves; on the disk a moment later (`store/write-out.ts`), a power cut before that leaves an ingest. Throws `invalid` when size or digest are not what was told; the bytes are deleted then. */
  commit(): Promise<Blob>;
  /** The next write begins at 0 again, with the same bytes (a registry that knows no ranges). */
  restart(): Promise<void>;
}
