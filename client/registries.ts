import type { ProgressMessage } from '../api/images.ts';
import { formatImageName } from '../api/image-names.ts';
import type { ImageName } from '../api/image-names.ts';
import { registryAuthHeader } from '../api/registries.ts';
import type { AuthAnswer, DistributionInspect, RegistryAuth, SearchResult } from '../api/registries.ts';
import { answerOf, listOf } from './answers.ts';
import { filtersOf } from './filters.ts';
import type { Filters } from './filters.ts';
import type { Platform } from './images.ts';
import type { JsonStream } from './json-stream.ts';
import { progressOf, silenceMs } from './progress.ts';
import type { Session } from './session.ts';
import type { CallOptions, Transport } from './transport.ts';

/** What a transfer needs besides its name. */
export interface TransferOptions {
  /** Sent in a header, to the engine alone. Null: the registry is asked without. */
  readonly auth?: RegistryAuth | null;
}

export interface RemoteManifest {
  readonly mediaType: string;
  readonly digest: string;
  /** As it is: its digest counts. */
  readonly text: string;
}

/** How long a registry may take to answer a question. */
const askMs = 120_000;

/** What an engine does with registries for its client. Credentials are given with each call: the engine keeps none. */
export class RegistriesClient {
  readonly #session: Session;
  readonly #transport: Transport;

  constructor(session: Session, transport: Transport) {
    this.#session = session;
    this.#transport = transport;
  }

  /**
   * Fetches an image; without tag and digest all of the repository. Resolves when the engine answers; iterating gives the progress, ends
   * when the image is there and throws ReportedError where the engine says that it failed.
   */
  async pull(
    name: ImageName,
    { auth, platform }: TransferOptions & { readonly platform?: string | undefined } = {},
    call: CallOptions = {},
  ): Promise<JsonStream<ProgressMessage>> {
    const fromImage = formatImageName({ ...name, tag: null, digest: null });
    const query = { fromImage, tag: name.digest ?? name.tag ?? undefined, platform };
    const spec = { method: 'POST', path: '/images/create', query, headers: authHeaders(auth) } as const;
    return progressOf(await this.#session.stream({ timeoutMs: silenceMs, ...spec, ...call }));
  }

  /** Sends an image to the registry of its name; without a tag all tags of the repository. Progress as that of `pull`. */
  async push(
    name: ImageName,
    { auth, platform }: TransferOptions & { readonly platform?: Platform | undefined } = {},
    call: CallOptions = {},
  ): Promise<JsonStream<ProgressMessage>> {
    const path = `/images/${pathOf(formatImageName({ ...name, tag: null, digest: null }))}/push`;
    const query = { tag: name.tag ?? undefined, platform };
    // The header must be there: older engines refuse a push without one.
    const spec = { method: 'POST', path, query, headers: authHeaders(auth ?? {}) } as const;
    return progressOf(await this.#session.stream({ timeoutMs: silenceMs, ...spec, ...call }));
  }

  /** Asks the registry whether it knows these credentials. Throws EngineError 401 when it does not. */
  async login(auth: RegistryAuth, call: CallOptions = {}): Promise<AuthAnswer> {
    const { text } = await this.#session.call({ method: 'POST', path: '/auth', json: auth, timeoutMs: askMs, ...call });
    return text === '' ? { Status: '' } : answerOf<AuthAnswer>(text, 'login', {});
  }

  /** What a registry has under a name, without fetching it. */
  async distribution(
    name: string,
    { auth }: TransferOptions = {},
    call: CallOptions = {},
  ): Promise<DistributionInspect> {
    const spec = { method: 'GET', path: `/distribution/${pathOf(name)}/json`, headers: authHeaders(auth) } as const;
    const { text } = await this.#session.call({ timeoutMs: askMs, ...spec, ...call });
    return answerOf<DistributionInspect>(text, 'distribution', { Descriptor: 'object' });
  }

  /** Of Skiff's engine alone: the manifest or index of a name as the registry has it. Throws EngineError 404 when it has none. */
  async manifest(image: string, { auth }: TransferOptions = {}, call: CallOptions = {}): Promise<RemoteManifest> {
    const spec = {
      method: 'GET',
      path: '/skiff/v1/registry/manifest',
      query: { image },
      headers: authHeaders(auth),
    } as const;
    const { text, headers } = await this.#transport.call({ timeoutMs: askMs, ...spec, ...call });
    const digest = headers['docker-content-digest'];
    return { mediaType: headers['content-type'] ?? '', digest: typeof digest === 'string' ? digest : '', text };
  }

  /** Asks Docker Hub (or the host before the first slash of the term) for images. */
  async search(
    term: string,
    {
      auth,
      limit,
      filters,
    }: TransferOptions & { readonly limit?: number | undefined; readonly filters?: Filters } = {},
    call: CallOptions = {},
  ): Promise<readonly SearchResult[]> {
    const query = { term, limit, filters: filtersOf(filters) };
    const spec = { method: 'GET', path: '/images/search', query, headers: authHeaders(auth) } as const;
    const { text } = await this.#session.call({ timeoutMs: askMs, ...spec, ...call });
    return text.trim() === 'null' ? [] : listOf<SearchResult>(text, 'search', { name: 'string' });
  }
}

/** Padded: dockerd takes no other. */
function authHeaders(auth: RegistryAuth | null | undefined): Record<string, string> {
  if (!auth) return {};
  const bytes = Buffer.from(JSON.stringify(auth), 'utf8').toString('base64');
  return { [registryAuthHeader]: bytes.replaceAll('+', '-').replaceAll('/', '_') };
}

function pathOf(name: string): string {
  return name.split('/').map(encodeURIComponent).join('/');
}
