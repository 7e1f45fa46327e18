/**
 * Requests to one endpoint on behalf of one client: with the proof that the registry asks for, and through the redirects that
 * registries use for blobs. The proof goes to the endpoint's own origin and nowhere else.
 */
import { EngineError } from '../model/errors.ts';
import { refusalOf } from './answers.ts';
import { type Challenge, parseChallenges } from './challenges.ts';
import type { Contacts } from './contacts.ts';
import type { Endpoint } from './endpoints.ts';
import type { Credentials } from './registry.ts';
import { redirected } from './redirects.ts';
import type { RegistrySettings } from './registry-settings.ts';
import { ProofError } from './repository-errors.ts';
import { basicProof, type Token, type TokenRequest, type Tokens } from './tokens.ts';
import { goMethod, shownUrl } from './wire-errors.ts';
import type { Answer, Wire } from './wire.ts';

export interface SessionParts {
  readonly wire: Wire;
  readonly tokens: Tokens;
  readonly contacts: Contacts;
  readonly settings: RegistrySettings;
  readonly userAgent: string;
}

export interface SessionRequest {
  readonly method: string;
  /** Below the endpoint (`v2/library/hello/tags/list`), or a whole address (an upload's). */
  readonly target: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | AsyncIterable<Buffer> | null;
  readonly scopes: readonly string[];
  readonly signal: AbortSignal;
  readonly pace?: 'slow';
}

const mostRedirects = 10;
const redirects = new Set([301, 302, 303, 307, 308]);

export class Session {
  readonly endpoint: Endpoint;
  readonly #credentials: Credentials;
  readonly #parts: SessionParts;

  constructor(endpoint: Endpoint, credentials: Credentials, parts: SessionParts) {
    this.endpoint = endpoint;
    this.#credentials = endpoint.role === 'mirror' ? { kind: 'none' } : credentials;
    this.#parts = parts;
  }

  /** Where a header of an answer leads (`Location`). Throws for where nobody should be led. */
  led(answer: Answer, location: string): URL {
    return redirected(answer.url, location, this.#parts.settings);
  }

  get wire(): Wire {
    return this.#parts.wire;
  }

  /** Whatever the status, but 401: that throws `unauthorized`. The body must be read or destroyed. */
  async ask(request: SessionRequest): Promise<Answer> {
    const { contacts } = this.#parts;
    await this.#greet(request.signal);
    let scopes = request.scopes;
    for (let freshness: 'kept' | 'new' = 'kept'; ; freshness = 'new') {
      const answer = await this.#follow(request, await this.#proof({ ...request, scopes }, freshness));
      if (answer.status !== 401) return answer;
      const challenges = this.#isOwn(answer.url) ? parseChallenges(answer.headers['www-authenticate']) : [];
      if (challenges.length > 0) contacts.met(this.endpoint.url, challenges);
      scopes = [
        ...new Set([...scopes, ...challenges.flatMap(({ parameters }) => parameters['scope']?.split(' ') ?? [])]),
      ];
      // A body that was a stream is gone: its owner starts again.
      const isRepeatable = request.body === undefined || request.body === null || Buffer.isBuffer(request.body);
      if (freshness === 'new' || !isRepeatable || !this.#canProve())
        throw await refusalOf(this.wire, answer, request.signal);
      this.wire.discard(answer);
    }
  }

  /** The registry's refusal, read from its answer. */
  refusal(answer: Answer, signal: AbortSignal): Promise<EngineError> {
    return refusalOf(this.wire, answer, signal);
  }

  /** Whether the registry takes the credentials, by a fresh look. */
  async login(signal: AbortSignal): Promise<{ readonly identityToken: string }> {
    this.#parts.contacts.forget(this.endpoint.url);
    await this.#greet(signal);
    const bearer = this.#challenge('bearer');
    if (bearer === null) {
      await this.#enter(await this.#proof({ method: 'GET', target: 'v2/', scopes: [], signal }, 'new'), signal);
      return { identityToken: '' };
    }
    const request: SessionRequest = { method: 'GET', target: 'v2/', scopes: [], signal };
    const token = await this.#token(bearer, request, { freshness: 'new', purpose: 'offline' });
    await this.#enter(`Bearer ${token.text}`, signal);
    return { identityToken: token.identityToken };
  }

  async #enter(proof: string | null, signal: AbortSignal): Promise<void> {
    const answer = await this.#follow({ method: 'GET', target: 'v2/', scopes: [], signal }, proof);
    this.wire.discard(answer);
    const { status, statusText, url } = answer;
    if (status === 200) return;
    throw new EngineError(
      status === 401 ? 'unauthorized' : 'internal',
      `login attempt to ${shownUrl(url)} failed with status: ${status} ${statusText}`,
    );
  }

  /** Once for each endpoint: which proof it wants, and whether it is there at all (source: distribution spec, "API Version Check"). */
  async #greet(signal: AbortSignal): Promise<void> {
    const { contacts, wire } = this.#parts;
    if (contacts.challenges(this.endpoint.url) !== null) return;
    const url = new URL('v2/', this.endpoint.url);
    const answer = await wire.send({ method: 'GET', url, headers: this.#headers(), body: null, signal });
    contacts.met(this.endpoint.url, parseChallenges(answer.headers['www-authenticate']));
    this.wire.discard(answer);
  }

  async #follow(request: SessionRequest, proof: string | null): Promise<Answer> {
    const { method, headers = {}, body = null, signal, pace } = request;
    let url = new URL(request.target, this.endpoint.url);
    for (let hops = 0; ; hops += 1) {
      const proofHeader: Readonly<Record<string, string>> =
        proof !== null && this.#isOwn(url) ? { Authorization: proof } : {};
      const answer = await this.wire.send({
        ...{ method, url, body, signal },
        headers: { ...this.#headers(), ...headers, ...proofHeader },
        ...(pace === undefined ? {} : { pace }),
      });
      const location =
        redirects.has(answer.status) && ['GET', 'HEAD'].includes(method) ? answer.headers.location : undefined;
      if (location === undefined) return answer;
      this.wire.discard(answer);
      if (hops === mostRedirects)
        throw new EngineError(
          'internal',
          `${goMethod(method)} "${shownUrl(url)}": stopped after ${mostRedirects} redirects`,
        );
      url = redirected(url, location, this.#parts.settings);
    }
  }

  #headers(): Readonly<Record<string, string>> {
    return { 'User-Agent': this.#parts.userAgent, 'Accept-Encoding': 'identity' };
  }

  async #proof(request: SessionRequest, freshness: 'kept' | 'new'): Promise<string | null> {
    const credentials = this.#credentials;
    if (credentials.kind === 'registry-token') return `Bearer ${credentials.token}`;
    const bearer = this.#challenge('bearer');
    if (bearer !== null) return `Bearer ${(await this.#token(bearer, request, { freshness, purpose: 'access' })).text}`;
    if (this.#challenge('basic') === null) return null;
    if (credentials.kind !== 'basic') {
      // Not `unauthorized`, as with dockerd: to a 401 docker's command line asks for a password, also where nobody is there to type one.
      throw new ProofError({ kind: 'internal', request: this.#shown(request), bare: 'no basic auth credentials' });
    }
    return basicProof(credentials.user, credentials.password);
  }

  async #token(
    challenge: Challenge,
    request: SessionRequest,
    want: Pick<TokenRequest, 'freshness' | 'purpose'>,
  ): Promise<Token> {
    const { scopes, signal } = request;
    const registry = new URL(this.endpoint.url);
    try {
      const credentials = this.#credentials;
      return await this.#parts.tokens.token({ registry, challenge, credentials, scopes, signal, ...want });
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof EngineError)) throw error;
      throw new ProofError({ kind: error.kind, request: this.#shown(request), bare: error.message }, error);
    }
  }

  #shown({ method, target }: SessionRequest): string {
    return `${goMethod(method)} "${shownUrl(new URL(target, this.endpoint.url))}"`;
  }

  /** Whether another proof could be had than the one that was refused. */
  #canProve(): boolean {
    return (
      this.#credentials.kind !== 'registry-token' && (this.#challenge('bearer') ?? this.#challenge('basic')) !== null
    );
  }

  #challenge(scheme: string): Challenge | null {
    const challenges = this.#parts.contacts.challenges(this.endpoint.url) ?? [];
    return challenges.find((challenge) => challenge.scheme === scheme) ?? null;
  }

  #isOwn(url: URL): boolean {
    return url.origin === new URL(this.endpoint.url).origin;
  }
}
