/**
 * Bytes on their way up (source: OCI distribution spec 1.1, "Push"): an upload is opened, gets its bytes in one streamed PATCH, since
 * neither digest nor size are known before, and is closed with the digest. Cut off, it goes on behind what the registry has.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { EngineError, invalid } from '../model/errors.ts';
import { type Digest, parseDigest } from '../model/ids.ts';
import { RegistryError } from './registry-error.ts';
import { type Patience, waitAfter } from './patience.ts';
import type { BlobSource, CallOptions, RemoteManifest } from './registry.ts';
import type { Session } from './session.ts';
import { shownUrl } from './wire-errors.ts';
import type { Answer } from './wire.ts';

export interface UploadsParts {
  readonly session: Session;
  /** `library/hello` */
  readonly path: string;
  readonly scopes: readonly string[];
  readonly patience: Patience;
}

interface OpenUpload {
  readonly location: URL;
  /** What the registry has already. */
  readonly offset: number;
}

export class Uploads {
  readonly #parts: UploadsParts;
  /** Opened by a registry that could not mount; the next blob goes there. */
  readonly #spare: OpenUpload[] = [];

  constructor(parts: UploadsParts) {
    this.#parts = parts;
  }

  async mount(digest: Digest, from: string, { signal }: CallOptions): Promise<boolean> {
    const { session, path, scopes } = this.#parts;
    const query = new URLSearchParams({ mount: digest, from });
    const answer = await session.ask({
      ...{ method: 'POST', target: `v2/${path}/blobs/uploads/?${query.toString()}`, signal },
      scopes: [...scopes, `repository:${from}:pull`],
      body: Buffer.alloc(0),
    });
    if (answer.status === 201) {
      session.wire.discard(answer);
      return true;
    }
    if (answer.status !== 202) throw await session.refusal(answer, signal);
    session.wire.discard(answer);
    this.#spare.push({ location: this.#locationOf(answer), offset: 0 });
    return false;
  }

  async put(open: () => BlobSource, { signal, onWait }: CallOptions): Promise<void> {
    const { patience } = this.#parts;
    let upload: OpenUpload | null = null;
    for (let failures = 1; ; failures += 1) {
      try {
        upload ??= this.#spare.pop() ?? (await this.#open(signal));
        const source = open();
        const location = await this.#send(upload, source, signal);
        return await this.#close(location, source.result(), signal);
      } catch (error) {
        signal.throwIfAborted();
        const waitMs = isStaleToken(error, failures) ? 0 : waitAfter(error, failures, patience);
        if (waitMs === null) throw error;
        onWait?.(waitMs);
        await pause(waitMs, undefined, { signal });
        upload = upload === null ? null : await this.#resumed(upload, signal);
      }
    }
  }

  async putManifest(
    tagOrDigest: string,
    { mediaType, bytes, digest }: RemoteManifest,
    { signal }: CallOptions,
  ): Promise<void> {
    const { session, path, scopes } = this.#parts;
    const answer = await session.ask({
      ...{
        method: 'PUT',
        target: `v2/${path}/manifests/${tagOrDigest}`,
        body: bytes,
        scopes,
        signal,
        pace: 'slow',
      },
      headers: { 'Content-Type': mediaType },
    });
    if (answer.status !== 201 && answer.status !== 200) throw await session.refusal(answer, signal);
    session.wire.discard(answer);
    const told = answer.headers['docker-content-digest'];
    if (typeof told === 'string' && told.startsWith('sha256:') && told !== digest)
      throw invalid(`the registry keeps the manifest ${digest} under another digest: ${told.slice(0, 100)}`);
  }

  async #open(signal: AbortSignal): Promise<OpenUpload> {
    const { session, path, scopes } = this.#parts;
    const target = `v2/${path}/blobs/uploads/`;
    const answer = await session.ask({ method: 'POST', target, body: Buffer.alloc(0), scopes, signal });
    if (answer.status !== 202) throw await session.refusal(answer, signal);
    session.wire.discard(answer);
    return { location: this.#locationOf(answer), offset: 0 };
  }

  /** Resolves to where the upload is closed. */
  async #send({ location, offset }: OpenUpload, source: BlobSource, signal: AbortSignal): Promise<URL> {
    const { session, scopes } = this.#parts;
    const answer = await session.ask({
      ...{ method: 'PATCH', target: location, scopes, signal, pace: 'slow' },
      headers: { 'Content-Type': 'application/octet-stream' },
      body: after(source.bytes, offset),
    });
    if (answer.status !== 202 && answer.status !== 201) throw await session.refusal(answer, signal);
    session.wire.discard(answer);
    return this.#locationOf(answer);
  }

  async #close(location: URL, result: ReturnType<BlobSource['result']>, signal: AbortSignal): Promise<void> {
    const { session, scopes } = this.#parts;
    // Appended by hand: reading and writing the query again would change what a signature of the registry's was made over.
    const target = new URL(
      `${location.href}${location.search === '' ? '?' : '&'}digest=${encodeURIComponent(parseDigest(result.digest))}`,
    );
    const answer = await session.ask({
      method: 'PUT',
      target,
      body: Buffer.alloc(0),
      scopes,
      signal,
      pace: 'slow',
    });
    if (answer.status !== 201 && answer.status !== 204) throw await session.refusal(answer, signal);
    session.wire.discard(answer);
  }

  /** Null when the registry does not know how much it has: then all begins anew. */
  async #resumed({ location }: OpenUpload, signal: AbortSignal): Promise<OpenUpload | null> {
    const { session, scopes } = this.#parts;
    try {
      const answer = await session.ask({ method: 'GET', target: location, scopes, signal });
      session.wire.discard(answer);
      const end = /^(?:bytes=)?0-(\d+)$/.exec(rangeOf(answer))?.[1];
      if (answer.status !== 204 || end === undefined) return null;
      // Registries tell `0-0` for nothing as well as for one byte: one byte is not worth the doubt.
      return end === '0' ? null : { location: this.#locationOf(answer), offset: Number(end) + 1 };
    } catch {
      signal.throwIfAborted();
      return null; // the next try meets the same trouble, and tells it
    }
  }

  #locationOf(answer: Answer): URL {
    const { location } = answer.headers;
    if (location === undefined)
      throw new EngineError('internal', `${shownUrl(answer.url)} does not say where the upload goes on`);
    return this.#parts.session.led(answer, location);
  }
}

/** A token that ended while the bytes were on their way: once, with a new one. */
function isStaleToken(error: unknown, failures: number): boolean {
  return error instanceof RegistryError && error.status === 401 && failures === 1;
}

function rangeOf({ headers }: Answer): string {
  return typeof headers.range === 'string' ? headers.range : '';
}

async function* after(bytes: AsyncIterable<Buffer>, offset: number): AsyncGenerator<Buffer, void, void> {
  let unwanted = offset;
  for await (const chunk of bytes) {
    const fresh = unwanted === 0 ? chunk : chunk.subarray(Math.min(unwanted, chunk.length));
    unwanted -= chunk.length - fresh.length;
    if (fresh.length > 0) yield fresh;
  }
}
