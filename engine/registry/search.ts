/**
 * Search: the index of Docker Hub and of registries that have kept its old interface (source: Docker Registry v1 API,
 * "Search"); a registry without one is asked for the names of all its repositories.
 */
import { EngineError } from '../model/errors.ts';
import { type Endpoint, endpointsOf } from './endpoints.ts';
import { listPages } from './list-pages.ts';
import type { FoundRepository, SearchRequest } from './registry.ts';
import { isInsecure } from './registry-settings.ts';
import { Session, type SessionParts } from './session.ts';
import { basicProof } from './tokens.ts';
import { shownUrl, WireError } from './wire-errors.ts';
import type { Answer } from './wire.ts';

const hubIndex: Endpoint = { url: 'https://index.docker.io/', registry: 'docker.io', role: 'registry' };
const mostAnswerBytes = 4 * 1024 * 1024;

export async function search(
  request: SearchRequest,
  parts: SessionParts,
  signal: AbortSignal,
): Promise<readonly FoundRepository[]> {
  const isHub = request.domain === 'docker.io';
  const endpoints = isHub ? [hubIndex] : endpointsOf(request, 'push', parts.settings);
  let failure: unknown = null;
  for (const endpoint of endpoints) {
    try {
      const found = await searchIndex(endpoint, request, parts, signal);
      if (found !== null) return found;
      if (isHub) throw new EngineError('internal', 'Unexpected status code 404');
      return await searchNames(endpoint, request, parts, signal);
    } catch (error) {
      signal.throwIfAborted();
      failure = error;
      if (!(error instanceof WireError)) break;
    }
  }
  throw failure;
}

/** Null: there is no index. */
async function searchIndex(
  endpoint: Endpoint,
  { domain, term, limit, credentials }: SearchRequest,
  { wire, userAgent, settings }: SessionParts,
  signal: AbortSignal,
): Promise<readonly FoundRepository[] | null> {
  const query = new URLSearchParams({ q: term, n: String(limit) });
  const url = new URL(`v1/search?${query.toString()}`, endpoint.url);
  const maySeeProof = url.protocol === 'https:' || isInsecure(url.host, settings);
  const proof: Readonly<Record<string, string>> =
    credentials.kind === 'basic' && maySeeProof
      ? { Authorization: basicProof(credentials.user, credentials.password) }
      : {};
  const headers = { 'User-Agent': userAgent, 'Accept-Encoding': 'identity', ...proof };
  const answer = await wire.send({ method: 'GET', url, headers, body: null, signal });
  if (answer.status !== 200) {
    wire.discard(answer);
    if (answer.status === 404) return null;
    throw new EngineError('internal', `Unexpected status code ${answer.status}`);
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of wire.bytes(answer, signal)) {
    size += chunk.length;
    if (size > mostAnswerBytes) throw new EngineError('internal', `the answer of ${shownUrl(url)} is too large`);
    chunks.push(chunk);
  }
  return resultsIn(Buffer.concat(chunks).toString('utf8'), answer, domain).slice(0, limit);
}

function resultsIn(text: string, { url }: Answer, domain: string): readonly FoundRepository[] {
  const broken = (): EngineError => new EngineError('internal', `the answer of ${shownUrl(url)} is no list of results`);
  let results: unknown;
  try {
    results = (JSON.parse(text) as Readonly<Record<string, unknown>> | null)?.['results'];
  } catch (error) {
    throw new EngineError('internal', broken().message, { cause: error });
  }
  if (!Array.isArray(results)) throw broken();
  return results.flatMap((result: unknown) => {
    const fields = (typeof result === 'object' && result !== null ? result : {}) as Readonly<Record<string, unknown>>;
    const { name, description, star_count: stars, is_official: isOfficial } = fields;
    if (typeof name !== 'string') return [];
    return [
      {
        name: domain === 'docker.io' ? name : `${domain}/${name}`,
        description: typeof description === 'string' ? description : '',
        stars: typeof stars === 'number' ? stars : 0,
        standing: isOfficial === true ? ('official' as const) : ('other' as const),
      },
    ];
  });
}

async function searchNames(
  endpoint: Endpoint,
  { domain, term, limit, credentials }: SearchRequest,
  parts: SessionParts,
  signal: AbortSignal,
): Promise<readonly FoundRepository[]> {
  const session = new Session(endpoint, credentials, parts);
  const pages = listPages('v2/_catalog?n=1000', async (target) => {
    const answer = await session.ask({ method: 'GET', target, scopes: ['registry:catalog:*'], signal });
    if (answer.status !== 200) throw await session.refusal(answer, signal);
    return { answer, wire: parts.wire, signal, name: domain, field: 'repositories' };
  });
  const found: FoundRepository[] = [];
  for await (const names of pages) {
    const fitting = names.filter((name) => name.includes(term));
    found.push(
      ...fitting.map((name) => ({
        name: `${domain}/${name}`,
        description: '',
        stars: 0,
        standing: 'other' as const,
      })),
    );
    if (found.length >= limit) break;
  }
  return found.slice(0, limit);
}
