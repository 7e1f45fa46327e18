/**
 * The contract of the content room: bytes that are known by their digest (layers as a registry keeps them, manifests).
 * A blob is there when its row is there; what is on its way is an *ingest*, which survives a crash and is taken up again.
 *
 *     await using ingest = await content.ingest({ digest, sizeBytes });
 *     for await (const chunk of bytesFrom(ingest.offset)) await ingest.write(chunk);
 *     const blob = await ingest.commit();
 */
import type { Digest } from '../model/ids.ts';

export interface Blob {
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** Absolute, read-only. */
  readonly file: string;
}

export interface Content {
  find(digest: Digest): Blob | null;

  /**
   * Opens the ingest of a blob, with what an earlier try left of it. One writer for each digest: who comes second waits for
   * the first to end, or until `signal`. `sizeBytes` null: nobody told one.
   */
  ingest(request: {
    readonly digest: Digest;
    readonly sizeBytes: number | null;
    readonly signal: AbortSignal;
  }): Promise<Ingest>;

  /** While a hold is there, these blobs are not collected. */
  hold(digests: readonly Digest[]): Disposable;

  /**
   * Deletes the blobs that nothing needs: those that no layer of the store came from, and whose layers' images are gone. Returns their bytes.
   * With `isSparing`, also those whose layers can be put together again from what is unpacked.
   */
  collect(options?: { readonly isSparing: boolean }): Promise<number>;
}

/** A blob on its way. Disposing without `commit` keeps what is there for the next try. */
export interface Ingest extends AsyncDisposable {
  /** Absolute; grows. May be read while it is written. */
  readonly file: string;
  /** Bytes that are there already. */
  readonly offset: number;
  /** Throws `internal` ("no space left on device") when the disk is full; `invalid` for more bytes than were told. */
  write(chunk: Uint8Array): Promise<void>;
  /** Throws `invalid` when size or digest are not what was told; the bytes are deleted then. */
  commit(): Promise<Blob>;
  /** Throws away what is there: the next write begins at 0. */
  restart(): Promise<void>;
}
