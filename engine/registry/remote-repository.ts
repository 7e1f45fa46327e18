/** One repository of a registry, through the first of its endpoints that has what is asked for. */
import { formatReference, type Reference } from '../images/reference.ts';
import { EngineError } from '../model/errors.ts';
import { type Digest, parseDigest } from '../model/ids.ts';
import { type BlobPart, blobBytes, blobPart } from './blob-stream.ts';
import type { Contacts } from './contacts.ts';
import type { ManifestMemory } from './manifest-memory.ts';
import { acceptedManifests, manifestFacts, readManifest } from './manifest-answer.ts';
import { type Patience, patiently } from './patience.ts';
import type { BlobSource, CallOptions, RemoteBlob, RemoteManifest, Repository } from './registry.ts';
import { type Purpose, repositoryError } from './repository-errors.ts';
import type { Session } from './session.ts';
import { listPages } from './list-pages.ts';
import { Uploads } from './uploads.ts';
import type { Answer } from './wire.ts';
import { WireError } from './wire-errors.ts';

export interface RemoteRepositoryParts {
  readonly reference: Reference;
  readonly purpose: Purpose;
  /** In the order in which they are tried. */
  readonly sessions: readonly Session[];
  readonly contacts: Contacts;
  readonly memory: ManifestMemory;
  readonly patience: Patience;
  readonly onMirrorFailed: (facts: { readonly mirror: string; readonly error: unknown }) => void;
}

export class RemoteRepository implements Repository {
  readonly name: string;
  readonly #parts: RemoteRepositoryParts;
  readonly #path: string;
  readonly #scopes: readonly string[];
  readonly #uploadsOf = new Map<Session, Uploads>();

  constructor(parts: RemoteRepositoryParts) {
    const { reference, purpose } = parts;
    this.#parts = parts;
    this.name = formatReference({ ...reference, tag: null, digest: null });
    this.#path = reference.path;
    this.#scopes = [`repository:${reference.path}:${purpose === 'push' ? 'pull,push' : 'pull'}`];
  }

  async manifest(tagOrDigest: string, options: CallOptions): Promise<RemoteManifest> {
    const wanted = tagOrDigest.includes(':') ? parseDigest(tagOrDigest) : null;
    const what = this.#named(tagOrDigest);
    return this.#anywhere(tagOrDigest, options, async (session) => {
      const remembered = await this.#remembered(session, tagOrDigest, options);
      if (remembered !== null && (wanted === null || wanted === remembered.digest)) return remembered;
      const answer = await this.#get(session, `manifests/${tagOrDigest}`, { Accept: acceptedManifests }, options);
      const manifest = await readManifest(session.wire, answer, { wanted, what, signal: options.signal });
      this.#parts.memory.keep(what, manifest);
      return manifest;
    });
  }

  async findManifest(tagOrDigest: string, options: CallOptions): Promise<Omit<RemoteManifest, 'bytes'> | null> {
    return this.#anywhere(tagOrDigest, options, async (session) => {
      const answer = await this.#askForManifest(session, tagOrDigest, options);
      if (answer.status === 404 && session.endpoint.role === 'registry') return null;
      if (answer.status !== 200) throw await session.refusal(answer, options.signal);
      return manifestFacts(answer, this.#named(tagOrDigest)) ?? this.manifest(tagOrDigest, options);
    });
  }

  async blob(digest: Digest, options: CallOptions & { readonly offset: number }): Promise<RemoteBlob> {
    const { signal, offset, onWait = () => undefined } = options;
    const wanted = parseDigest(digest);
    const open = (from: number): Promise<BlobPart> =>
      this.#anywhere(digest, options, (session) => this.#openBlob(session, wanted, from, signal));
    const first = await open(offset);
    const { wire } = this.#first;
    const bytes = blobBytes(first, { wire, patience: this.#parts.patience, signal, reopen: open, onWait });
    return { offset: first.offset, sizeBytes: first.sizeBytes, bytes };
  }

  async hasBlob(digest: Digest, options: CallOptions): Promise<boolean> {
    const { signal } = options;
    return this.#anywhere(digest, options, async (session) => {
      const answer = await session.ask({
        ...{ method: 'HEAD', target: this.#target(`blobs/${digest}`), scopes: this.#scopes, signal },
      });
      if (answer.status === 404) return false;
      if (answer.status !== 200) throw await session.refusal(answer, signal);
      session.wire.discard(answer);
      return true;
    });
  }

  mountBlob(digest: Digest, from: string, options: CallOptions): Promise<boolean> {
    return this.#anywhere(digest, options, (session) => this.#uploads(session).mount(digest, from, options));
  }

  putBlob(open: () => BlobSource, options: CallOptions): Promise<void> {
    // It has patience of its own, and may not be called again with its first one's.
    return this.#anywhere('', { ...options, tries: 'one' }, (session) => this.#uploads(session).put(open, options));
  }

  putManifest(tagOrDigest: string, manifest: RemoteManifest, options: CallOptions): Promise<void> {
    return this.#anywhere(tagOrDigest, options, (session) =>
      this.#uploads(session).putManifest(tagOrDigest, manifest, options),
    );
  }

  async *tags(options: CallOptions): AsyncGenerator<string, void, void> {
    const pages = listPages(this.#target('tags/list?n=1000'), (target) =>
      this.#anywhere('', options, async (session) => {
        const answer = await this.#get(session, target, {}, options);
        return { answer, wire: session.wire, signal: options.signal, name: this.name, field: 'tags' };
      }),
    );
    for await (const page of pages) yield* page;
  }

  get #first(): Session {
    const [session] = this.#parts.sessions;
    if (session === undefined) throw new Error('a repository has at least one endpoint');
    return session;
  }

  #uploads(session: Session): Uploads {
    const known = this.#uploadsOf.get(session);
    if (known !== undefined) return known;
    const { patience } = this.#parts;
    const uploads = new Uploads({ session, path: this.#path, scopes: this.#scopes, patience });
    this.#uploadsOf.set(session, uploads);
    return uploads;
  }

  #askForManifest(session: Session, tagOrDigest: string, { signal }: CallOptions): Promise<Answer> {
    return session.ask({
      ...{ method: 'HEAD', target: this.#target(`manifests/${tagOrDigest}`), scopes: this.#scopes, signal },
      headers: { Accept: acceptedManifests },
    });
  }

  /** What the name stands on now, if that was had lately. */
  async #remembered(session: Session, tagOrDigest: string, options: CallOptions): Promise<RemoteManifest | null> {
    const { memory } = this.#parts;
    const what = this.#named(tagOrDigest);
    if (!memory.hasMet(what)) return null;
    const answer = await this.#askForManifest(session, tagOrDigest, options);
    session.wire.discard(answer);
    const facts = answer.status === 200 ? manifestFacts(answer, what) : null;
    return facts === null ? null : memory.find(facts.digest);
  }

  async #openBlob(session: Session, digest: Digest, from: number, signal: AbortSignal): Promise<BlobPart> {
    const headers: Readonly<Record<string, string>> = from === 0 ? {} : { Range: `bytes=${from}-` };
    const target = this.#target(`blobs/${digest}`);
    const answer = await session.ask({ method: 'GET', target, headers, scopes: this.#scopes, signal });
    if (answer.status === 416 && from > 0) {
      answer.body.destroy();
      return this.#openBlob(session, digest, 0, signal);
    }
    if (answer.status !== 200 && answer.status !== 206) throw await session.refusal(answer, signal);
    return blobPart(answer, from);
  }

  /** `target`: below the repository, or from `v2/` on. */
  async #get(
    session: Session,
    target: string,
    headers: Readonly<Record<string, string>>,
    options: CallOptions,
  ): Promise<Answer> {
    const { signal } = options;
    const whole = target.startsWith('v2/') ? target : this.#target(target);
    const answer = await session.ask({ method: 'GET', target: whole, headers, scopes: this.#scopes, signal });
    if (answer.status !== 200) throw await session.refusal(answer, signal);
    return answer;
  }

  /** Each endpoint in its turn; what the registry itself says counts, and what a mirror lacks is only noted. */
  async #anywhere<T>(
    tagOrDigest: string,
    options: CallOptions & { readonly tries?: 'one' },
    act: (session: Session) => Promise<T>,
  ): Promise<T> {
    const { purpose } = this.#parts;
    const patience = { ...this.#parts.patience, ...(options.tries === 'one' ? { attempts: 1 } : {}) };
    const { signal, onWait } = options;
    let failure: unknown = new EngineError('internal', `no endpoint of ${this.name} can be used`);
    for (const session of this.#usable()) {
      try {
        return await patiently(patience, { signal, ...(onWait === undefined ? {} : { onWait }) }, () => act(session));
      } catch (error) {
        signal.throwIfAborted();
        failure = error;
        if (!this.#goesOnAfter(session, error)) break;
      }
    }
    throw repositoryError(failure, purpose, this.#reference(tagOrDigest));
  }

  #usable(): readonly Session[] {
    const { sessions, contacts } = this.#parts;
    const usable = sessions.filter(({ endpoint }) => !contacts.isPassedOver(endpoint.url));
    return usable.length === 0 ? sessions : usable;
  }

  #goesOnAfter({ endpoint }: Session, error: unknown): boolean {
    const { contacts, onMirrorFailed } = this.#parts;
    if (endpoint.role === 'mirror') {
      onMirrorFailed({ mirror: endpoint.url, error });
      return true;
    }
    const isUnreachable = error instanceof WireError && contacts.challenges(endpoint.url) === null;
    if (error instanceof WireError) contacts.forget(endpoint.url);
    if (isUnreachable && error.reason === 'plain') contacts.passOver(endpoint.url);
    return isUnreachable;
  }

  #target(below: string): string {
    return `v2/${this.#path}/${below}`;
  }

  #named(tagOrDigest: string): string {
    return `${this.name}${tagOrDigest.includes(':') ? '@' : ':'}${tagOrDigest}`;
  }

  #reference(tagOrDigest: string): Reference {
    const { reference } = this.#parts;
    if (tagOrDigest === '') return { ...reference, tag: null, digest: null };
    return tagOrDigest.includes(':')
      ? { ...reference, tag: null, digest: parseDigest(tagOrDigest) }
      : { ...reference, tag: tagOrDigest, digest: null };
  }
}
