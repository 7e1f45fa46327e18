/** Routes that ask a registry something: login, search, and what stands behind a name. */
import type { AuthAnswer, DistributionInspect, SearchResult } from '../../../api/registries.ts';
import { parseReference, withDefaultTag } from '../../images/reference.ts';
import { invalid } from '../../model/errors.ts';
import { type Filters, parseFilters } from '../../model/filters.ts';
import { describeRemote } from '../../registry/describe-remote.ts';
import type { LateRegistries } from '../../registry/late-registries.ts';
import { credentialsOf, parseRegistryAuth } from '../../registry/registry-auth.ts';
import type { Exchange } from '../exchange.ts';
import type { Route } from '../router.ts';

interface RegistryRouteParts {
  readonly registries: LateRegistries;
}

/** Whoever asks sits before a terminal and waits. */
const longestMs = 120_000;
const defaultLimit = 25;

export function registryRoutes(parts: RegistryRouteParts): readonly Route[] {
  return [
    { method: 'POST', path: '/auth', handle: (exchange) => login(parts, exchange) },
    { method: 'GET', path: '/distribution/*name/json', handle: (exchange) => describe(parts, exchange) },
    { method: 'GET', path: '/images/search', handle: (exchange) => search(parts, exchange) },
    { method: 'GET', path: '/skiff/v1/registry/manifest', handle: (exchange) => sendManifest(parts, exchange) },
  ];
}

async function login({ registries }: RegistryRouteParts, exchange: Exchange): Promise<void> {
  const fields = await exchange.body();
  const domain = domainOf(typeof fields['serveraddress'] === 'string' ? fields['serveraddress'] : '');
  const opened = await registries.open();
  const { identityToken } = await opened.login(domain, credentialsOf(fields), { signal: patience(exchange) });
  const answer: AuthAnswer = { IdentityToken: identityToken, Status: 'Login Succeeded' };
  exchange.json(200, answer);
}

async function describe({ registries }: RegistryRouteParts, exchange: Exchange): Promise<void> {
  const reference = withDefaultTag(parseReference(exchange.param('name')));
  const opened = await registries.open();
  const repository = opened.repository(reference, proofOf(exchange), 'inspect');
  const { mediaType, digest, sizeBytes, platforms } = await describeRemote(repository, reference, {
    signal: patience(exchange),
  });
  const answer: DistributionInspect = {
    Descriptor: { mediaType, digest, size: sizeBytes },
    Platforms: platforms.map(({ architecture, os, osVersion, osFeatures, variant }) => ({
      architecture,
      os,
      ...(osVersion === '' ? {} : { 'os.version': osVersion }),
      ...(osFeatures.length === 0 ? {} : { 'os.features': osFeatures }),
      ...(variant === '' ? {} : { variant }),
    })),
  };
  exchange.json(200, answer);
}

/** The manifest or index of a name as the registry has it, byte for byte (`api/skiff-v1.yaml`). */
async function sendManifest({ registries }: RegistryRouteParts, exchange: Exchange): Promise<void> {
  const name = exchange.query.get('image') ?? '';
  if (name === '') throw invalid('image is missing: whose manifest?');
  const reference = withDefaultTag(parseReference(name));
  const repository = (await registries.open()).repository(reference, proofOf(exchange), 'inspect');
  const { bytes, mediaType, digest } = await repository.manifest(reference.digest ?? reference.tag ?? 'latest', {
    signal: patience(exchange),
  });
  const headers = { 'Content-Type': mediaType, 'Content-Length': bytes.length, 'Docker-Content-Digest': digest };
  exchange.response.writeHead(200, { ...headers, 'X-Content-Type-Options': 'nosniff' }).end(bytes);
}

async function search({ registries }: RegistryRouteParts, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const wanted = wantedResults(query.get('filters'));
  const limit = limitOf(query.get('limit') ?? '');
  const text = query.get('term') ?? '';
  if (text.includes('://'))
    throw invalid(`invalid repository name: repository name (${text}) should not have a scheme`);
  if (wanted.automated === 'only') return exchange.json(200, []); // nothing is any more
  const opened = await registries.open();
  const found = await opened.search(
    { ...splitTerm(text), limit, credentials: proofOf(exchange) },
    { signal: patience(exchange) },
  );
  const results = found
    .filter(({ standing }) => wanted.official === 'any' || (wanted.official === 'only') === (standing === 'official'))
    .filter(({ stars }) => stars >= wanted.leastStars)
    .map(({ name, description, stars, standing }): SearchResult & { readonly is_automated: boolean } => ({
      star_count: stars,
      is_official: standing === 'official',
      name,
      is_automated: false,
      description,
    }));
  exchange.json(200, results);
}

interface WantedResults {
  readonly official: 'any' | 'only' | 'none';
  readonly automated: 'any' | 'only' | 'none';
  readonly leastStars: number;
}

function wantedResults(text: string | null): WantedResults {
  const filters = parseFilters(text, ['is-automated', 'is-official', 'stars']);
  const stars = (filters.get('stars') ?? []).map((value) => {
    if (!/^[+-]?\d{1,15}$/.test(value))
      throw invalid(`invalid filter 'stars=${value}': strconv.Atoi: parsing "${value}": invalid syntax`);
    return Number(value);
  });
  return {
    official: choice(filters, 'is-official'),
    automated: choice(filters, 'is-automated'),
    leastStars: Math.max(0, ...stars),
  };
}

function choice(filters: Filters, key: string): 'any' | 'only' | 'none' {
  const values = filters.get(key) ?? [];
  if (values.length === 0) return 'any';
  const [value] = values;
  const isClear = values.length === 1 && ['1', 'true', '0', 'false'].includes(value ?? '');
  if (!isClear) throw invalid(`invalid filter '${key}=[${values.join(' ')}]'`);
  return value === '1' || value === 'true' ? 'only' : 'none';
}

function limitOf(text: string): number {
  if (text !== '' && !/^[+-]?\d{1,15}$/.test(text))
    throw invalid(`invalid limit specified: strconv.Atoi: parsing "${text}": invalid syntax`);
  const limit = Number(text) === 0 ? defaultLimit : Number(text);
  if (limit < 1 || limit > 100) throw invalid(`limit ${limit} is outside the range of [1, 100]`);
  return limit;
}

/** `registry.example.com/tool` is a search for `tool` there; everything else is one on Docker Hub. */
function splitTerm(text: string): { readonly domain: string; readonly term: string } {
  const slash = text.indexOf('/');
  const first = slash === -1 ? '' : text.slice(0, slash);
  const isHost = /[.:]/.test(first) || first === 'localhost';
  if (isHost && first !== 'docker.io' && first !== 'index.docker.io')
    return { domain: first, term: text.slice(slash + 1) };
  const term = isHost ? text.slice(slash + 1) : text;
  return { domain: 'docker.io', term: term.replace(/^library\//, '') };
}

/** From what `docker login` was given, or keeps in its configuration: `https://index.docker.io/v1/`, `ghcr.io`. */
function domainOf(address: string): string {
  const host = address.replace(/^https?:\/\//i, '').replace(/\/.*$/, '');
  if (['', 'index.docker.io', 'registry-1.docker.io', 'docker.io'].includes(host)) return 'docker.io';
  if (!/^[a-zA-Z0-9.-]+(?::\d{1,5})?$|^\[[0-9a-fA-F:]+\](?::\d{1,5})?$/.test(host))
    throw invalid(`invalid server address "${address}": expected a host, with a port or without`);
  return host;
}

function proofOf(exchange: Exchange): ReturnType<typeof parseRegistryAuth> {
  return parseRegistryAuth(exchange.request.headers['x-registry-auth']);
}

function patience(exchange: Exchange): AbortSignal {
  return AbortSignal.any([exchange.signal, AbortSignal.timeout(longestMs)]);
}
