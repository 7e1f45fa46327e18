/**
 * The contract of the registry room: one repository of one registry, over HTTP (OCI distribution 1.1, Docker registry v2).
 * Authorisation, mirrors, TLS, proxies, retries and rate limits are its own affair.
 *
 *     const repository = registries.repository(reference, credentials);
 *     const manifest = await repository.manifest(reference.digest ?? reference.tag, { signal });
 *     const { bytes, offset } = await repository.blob(digest, { offset: ingest.offset, signal });
 */
import type { Digest } from '../model/ids.ts';
import type { Reference } from '../images/reference.ts';

/** What a client sent along (`X-Registry-Auth`): for one registry. */
export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'basic'; readonly user: string; readonly password: string }
  | { readonly kind: 'identity-token'; readonly token: string }
  | { readonly kind: 'registry-token'; readonly token: string };

export interface Registries {
  /** Does not connect. For all but pushes, the mirrors of the settings are tried first. Errors are told as dockerd does for this purpose. */
  repository(reference: Reference, credentials: Credentials, purpose: 'pull' | 'push' | 'inspect'): Repository;

  /**
   * Whether a registry takes these credentials. `identityToken` stands for the password from then on; empty: the registry gives none.
   * Throws `unauthorized` when it does not take them. `domain`: as in a reference.
   */
  login(domain: string, credentials: Credentials, options: CallOptions): Promise<{ readonly identityToken: string }>;

  /** Repositories whose name or description has the term; the most wanted first, as far as the registry says. */
  search(request: SearchRequest, options: CallOptions): Promise<readonly FoundRepository[]>;
}

export interface SearchRequest {
  /** As in a reference: `docker.io`. */
  readonly domain: string;
  readonly term: string;
  /** 1 to 100 */
  readonly limit: number;
  readonly credentials: Credentials;
}

export interface FoundRepository {
  /** As it is pulled: with the registry's host when that is not Docker Hub. */
  readonly name: string;
  readonly description: string;
  readonly stars: number;
  readonly standing: 'official' | 'other';
}

export interface Repository {
  /** As in a reference, without tag: `docker.io/library/hello`. */
  readonly name: string;
  /** By tag or digest. Checked against the digest that was asked for, or that the registry told. Throws `not-found` in docker's words. */
  manifest(tagOrDigest: string, options: CallOptions): Promise<RemoteManifest>;
  /** Without its bytes. Null when it is not there. */
  findManifest(tagOrDigest: string, options: CallOptions): Promise<Omit<RemoteManifest, 'bytes'> | null>;
  /** From an offset on; when the registry knows no ranges, from 0: `offset` tells. Goes on after a cut by itself, a few times. */
  blob(digest: Digest, options: CallOptions & { readonly offset: number }): Promise<RemoteBlob>;
  hasBlob(digest: Digest, options: CallOptions): Promise<boolean>;
  /** From another repository of the same registry. False: the registry wants the bytes. */
  mountBlob(digest: Digest, from: string, options: CallOptions): Promise<boolean>;
  /** Digest and size are told after the bytes: they may be made on the way. `open` is called again for a new try. */
  putBlob(open: () => BlobSource, options: CallOptions): Promise<void>;
  putManifest(tagOrDigest: string, manifest: RemoteManifest, options: CallOptions): Promise<void>;
  /** All of them, page by page. */
  tags(options: CallOptions): AsyncGenerator<string, void, void>;
}

export interface CallOptions {
  readonly signal: AbortSignal;
  /** Before a wait, for as many milliseconds, after which a failed step is tried again. */
  readonly onWait?: (ms: number) => void;
}

export interface RemoteManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly sizeBytes: number;
  /** As they are: their digest counts. */
  readonly bytes: Buffer;
}

export interface RemoteBlob {
  readonly offset: number;
  /** Of the whole blob; null when the registry does not say. */
  readonly sizeBytes: number | null;
  readonly bytes: AsyncIterable<Buffer>;
}

export interface BlobSource {
  readonly bytes: AsyncIterable<Buffer>;
  /** Known once `bytes` have ended. */
  result(): { readonly digest: Digest; readonly sizeBytes: number };
}
