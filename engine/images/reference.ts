/**
 * Names of images (source: the grammar of github.com/distribution/reference). People write `ubuntu`; what is stored and
 * compared is `docker.io/library/ubuntu:latest`; what is shown is the short form again.
 */
import { invalid } from '../model/errors.ts';
import { type Digest, parseDigest } from '../model/ids.ts';

/** A name in its full form. Made by `parseReference` alone, so that its parts are known to be well-formed. */
export interface Reference {
  /** Host and port of the registry: `docker.io`. */
  readonly domain: string;
  /** `library/ubuntu`. */
  readonly path: string;
  readonly tag: string | null;
  readonly digest: Digest | null;
}

const defaultDomain = 'docker.io';
const officialPrefix = 'library/';

const domainName =
  /^(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*(?::[0-9]+)?$|^\[[a-fA-F0-9:]+\](?::[0-9]+)?$/;
const pathComponent = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const tagName = /^\w[\w.-]{0,127}$/;
const hex64 = /^[0-9a-f]{64}$/;
const longestName = 255;

/** Reads a name as people write it. Neither tag nor digest is made up: see `withDefaultTag`. Throws `invalid` in docker's words. */
export function parseReference(text: string): Reference {
  if (hex64.test(text)) {
    throw invalid(
      `invalid reference format: invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`,
    );
  }
  const { name, tag, digest } = splitReference(text);
  const { domain, path } = splitDomain(name);
  if (path.toLowerCase() !== path) {
    throw invalid(`invalid reference format: repository name (${path}) must be lowercase`);
  }
  const isWellFormed =
    domainName.test(domain) &&
    path.split('/').every((part) => pathComponent.test(part)) &&
    (tag === null || tagName.test(tag));
  if (!isWellFormed) throw invalid('invalid reference format');
  if (path.length > longestName) throw invalid(`repository name must not be more than ${longestName} characters`);
  return { domain, path, tag, digest: digest === null ? null : digestOf(digest) };
}

/** `latest` for a name that says neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === null && reference.digest === null ? { ...reference, tag: 'latest' } : reference;
}

/** The full form, the key under which a name is stored. Where there are both, the digest decides and the tag is for the eye. */
export function formatReference(reference: Reference): string {
  return `${reference.domain}/${reference.path}${suffixOf(reference)}`;
}

/** The short form that people see: `ubuntu:latest`, `ghcr.io/owner/name:1`. */
export function familiarReference(reference: Reference): string {
  return `${familiarName(reference)}${suffixOf(reference)}`;
}

/** The short form without tag and digest: `ubuntu`. */
export function familiarName({ domain, path }: Reference): string {
  if (domain !== defaultDomain) return `${domain}/${path}`;
  const isOfficial = path.startsWith(officialPrefix) && !path.slice(officialPrefix.length).includes('/');
  return isOfficial ? path.slice(officialPrefix.length) : path;
}

/** Whether a shell pattern (`*`, `?`, `[a-z]`; none of them matches `/`) fits the short form with or without its tag. */
export function matchesPattern(reference: Reference, pattern: string): boolean {
  const expression = patternOf(pattern);
  return expression.test(familiarReference(reference)) || expression.test(familiarName(reference));
}

function suffixOf({ tag, digest }: Reference): string {
  return `${tag === null ? '' : `:${tag}`}${digest === null ? '' : `@${digest}`}`;
}

function splitReference(text: string): { name: string; tag: string | null; digest: string | null } {
  const at = text.indexOf('@');
  const beforeDigest = at === -1 ? text : text.slice(0, at);
  const digest = at === -1 ? null : text.slice(at + 1);
  const colon = beforeDigest.lastIndexOf(':');
  const hasTag = colon > beforeDigest.lastIndexOf('/');
  return {
    name: hasTag ? beforeDigest.slice(0, colon) : beforeDigest,
    tag: hasTag ? beforeDigest.slice(colon + 1) : null,
    digest,
  };
}

/** The first part is a host only when it looks like one: `team/app` is on Docker Hub, `team.example/app` and `localhost/app` are not. */
function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf('/');
  const first = slash === -1 ? '' : name.slice(0, slash);
  const isHost = slash !== -1 && (/[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first);
  const domain = isHost ? (first === 'index.docker.io' ? defaultDomain : first) : defaultDomain;
  const path = isHost ? name.slice(slash + 1) : name;
  return { domain, path: domain === defaultDomain && !path.includes('/') ? `${officialPrefix}${path}` : path };
}

function digestOf(text: string): Digest {
  try {
    return parseDigest(text);
  } catch (error) {
    throw invalid('invalid reference format', { cause: error });
  }
}

/** Go's path.Match, which docker uses: an unclosed class is an error there too. */
function patternOf(pattern: string): RegExp {
  const source = pattern.replace(
    /\\(.)|\*|\?|\[(\^?)((?:\\.|[^\]\\])+)\]|[.*+?^${}()|[\]\\/]/g,
    (found, escaped, not, set) => {
      if (escaped !== undefined) return escapeText(String(escaped));
      if (found === '*') return '[^/]*';
      if (found === '?') return '[^/]';
      if (set !== undefined) return `[${String(not)}${String(set).replace(/[[\]^]/g, '\\$&')}]`;
      if (found === '[' || found === '\\')
        throw invalid(`invalid filter 'reference=${pattern}': syntax error in pattern`);
      return escapeText(found);
    },
  );
  try {
    return new RegExp(`^${source}$`);
  } catch (error) {
    throw invalid(`invalid filter 'reference=${pattern}': syntax error in pattern`, { cause: error });
  }
}

function escapeText(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
