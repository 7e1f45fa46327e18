/** Tokens for repositories, from the server that a registry names (source: distribution spec, "Token Authentication" and "OAuth2 Token Authentication"). */
import { createHash } from 'node:crypto';
import { EngineError } from '../model/errors.ts';
import { refusalOf } from './answers.ts';
import type { Challenge } from './challenges.ts';
import type { Credentials } from './registry.ts';
import type { RegistrySettings } from './registry-settings.ts';
import { assertTokenHost } from './token-hosts.ts';
import { goMethod, shownUrl } from './wire-errors.ts';
import type { Answer, Wire, WireRequest } from './wire.ts';

export interface TokenRequest {
  /** The registry's address, as it was reached. */
  readonly registry: URL;
  readonly challenge: Challenge;
  /** `repository:library/hello:pull`; none: only to log in. */
  readonly scopes: readonly string[];
  readonly credentials: Credentials;
  readonly signal: AbortSignal;
  /** Not one that is kept: the registry did not take it. */
  readonly freshness: 'kept' | 'new';
  /** `offline`: also asks for an identity token, which stands for the password afterwards. */
  readonly purpose: 'access' | 'offline';
}

export interface Token {
  readonly text: string;
  readonly identityToken: string;
}

interface KeptToken extends Token {
  readonly expiresAtMs: number;
}

/** What a server that says nothing means (source: the token specification). */
const defaultLifeMs = 60_000;
/** A token is renewed before it ends, so that no request meets it dead. */
const marginMs = 10_000;
const mostTokenBytes = 256 * 1024;
const mostKept = 500;
const clientId = 'docker';

export class Tokens {
  readonly #wire: Wire;
  readonly #settings: RegistrySettings;
  readonly #nowMs: () => number;
  readonly #kept = new Map<string, KeptToken>();

  constructor(parts: { readonly wire: Wire; readonly settings: RegistrySettings; readonly nowMs: () => number }) {
    this.#wire = parts.wire;
    this.#settings = parts.settings;
    this.#nowMs = parts.nowMs;
  }

  /** Throws `unauthorized` when the server refuses, or when it is none that may be asked. */
  async token(request: TokenRequest): Promise<Token> {
    const key = keyOf(request);
    const kept = this.#kept.get(key);
    if (request.freshness === 'kept' && kept !== undefined && kept.expiresAtMs > this.#nowMs()) return kept;
    const token = await this.#fetch(request);
    this.#kept.delete(key);
    this.#kept.set(key, token);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= mostKept) break;
      this.#kept.delete(oldest);
    }
    return token;
  }

  async #fetch(request: TokenRequest): Promise<KeptToken> {
    const { registry, challenge, credentials, signal } = request;
    const realmText = challenge.parameters['realm'] ?? '';
    const realm = URL.canParse(realmText) ? new URL(realmText) : null;
    if (realm === null)
      throw unauthorized(`${registry.host} asks for a token, and names no token server (realm "${realmText}")`);
    assertTokenHost(
      { registry, realm, proof: credentials.kind === 'none' ? 'anonymous' : 'credentials' },
      this.#settings,
    );
    const answer = await this.#wire.send(
      credentials.kind === 'identity-token'
        ? oauthRequest(realm, request, credentials.token)
        : plainRequest(realm, request),
    );
    if (answer.status !== 200) {
      if (answer.status >= 300 && answer.status < 400) {
        answer.body.destroy();
        throw unauthorized(`${shownUrl(realm)} redirects to another address; credentials do not follow`);
      }
      const refusal = await refusalOf(this.#wire, answer, signal);
      throw new EngineError(answer.status >= 500 ? 'internal' : 'unauthorized', refusal.first, { cause: refusal });
    }
    return this.#read(answer, signal);
  }

  async #read(answer: Answer, signal: AbortSignal): Promise<KeptToken> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of this.#wire.bytes(answer, signal)) {
      size += chunk.length;
      if (size > mostTokenBytes) throw badToken(answer, `it is larger than ${mostTokenBytes} bytes`);
      chunks.push(chunk);
    }
    const fields = fieldsIn(Buffer.concat(chunks).toString('utf8'));
    if (fields === null) throw badToken(answer, 'it is no JSON object');
    const text = textIn(fields, 'token') || textIn(fields, 'access_token');
    if (text === '') throw badToken(answer, 'authorization server did not include a token in the response');
    const seconds = fields['expires_in'];
    const lifeMs = typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : defaultLifeMs;
    const expiresAtMs = this.#nowMs() + Math.max(lifeMs - marginMs, lifeMs / 2);
    return { text, identityToken: textIn(fields, 'refresh_token'), expiresAtMs };
  }
}

export function basicProof(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

function plainRequest(realm: URL, request: TokenRequest): WireRequest {
  const { challenge, scopes, credentials, signal, purpose } = request;
  const url = new URL(realm);
  const service = challenge.parameters['service'];
  if (service !== undefined) url.searchParams.set('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  if (purpose === 'offline') {
    url.searchParams.set('offline_token', 'true');
    url.searchParams.set('client_id', clientId);
  }
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (credentials.kind === 'basic') {
    url.searchParams.set('account', credentials.user);
    headers['Authorization'] = basicProof(credentials.user, credentials.password);
  }
  return { method: 'GET', url, headers, body: null, signal };
}

function oauthRequest(realm: URL, { challenge, scopes, signal }: TokenRequest, refreshToken: string): WireRequest {
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    refresh_token: refreshToken,
    service: challenge.parameters['service'] ?? '',
    client_id: clientId,
    scope: scopes.join(' '),
  });
  return {
    method: 'POST',
    url: realm,
    headers: { Accept: 'application/json', 'Content-Type': 'application/x-www-form-urlencoded' },
    body: Buffer.from(form.toString()),
    signal,
  };
}

/** Holds no credentials: only their digest, so that another user's token is never taken. */
function keyOf({ registry, challenge, scopes, credentials, purpose }: TokenRequest): string {
  const { realm, service } = challenge.parameters;
  const parts = [registry.origin, realm, service, scopes.toSorted(), credentials, purpose];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

function fieldsIn(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const document: unknown = JSON.parse(text);
    return typeof document === 'object' && document !== null ? (document as Record<string, unknown>) : null;
  } catch {
    return null; // the caller says whose answer it was
  }
}

function textIn(fields: Readonly<Record<string, unknown>>, name: string): string {
  const value = fields[name];
  return typeof value === 'string' ? value : '';
}

function badToken({ method, url }: Answer, why: string): EngineError {
  return new EngineError('internal', `${goMethod(method)} "${shownUrl(url)}": the answer holds no token: ${why}`);
}

function unauthorized(message: string): EngineError {
  return new EngineError('unauthorized', `unauthorized: ${message}`);
}
