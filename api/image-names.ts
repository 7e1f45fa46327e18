/**
 * Names of images (source: the grammar of github.com/distribution/reference). People write `ubuntu`; what is stored and compared is
 * `docker.io/library/ubuntu:latest`; what is shown is the short form again. Both ends of the wire read them: the engine what it is asked
 * for, clients to know which registry is meant before they ask.
 */

export interface ImageName {
  /** Host and port of the registry: `docker.io`. */
  readonly domain: string;
  /** `library/ubuntu`. */
  readonly path: string;
  readonly tag: string | null;
  /** `sha256:` and 64 digits. */
  readonly digest: string | null;
}

const defaultDomain = 'docker.io';
const officialPrefix = 'library/';

const domainName =
  /^(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*(?::[0-9]+)?$|^\[[a-fA-F0-9:]+\](?::[0-9]+)?$/;
const pathComponent = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const tagName = /^\w[\w.-]{0,127}$/;
const hex64 = /^[0-9a-f]{64}$/;
const sha256 = /^sha256:[0-9a-f]{64}$/;
const longestName = 255;

/** Reads a name as people write it. Neither tag nor digest is made up: see `withDefaultTag`. Throws RangeError in docker's words. */
export function parseImageName(text: string): ImageName {
  if (hex64.test(text)) {
    throw new RangeError(
      `invalid reference format: invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`,
    );
  }
  const { name, tag, digest } = splitName(text);
  const { domain, path } = splitDomain(name);
  if (path.toLowerCase() !== path) {
    throw new RangeError(`invalid reference format: repository name (${path}) must be lowercase`);
  }
  const isWellFormed =
    domainName.test(domain) &&
    path.split('/').every((part) => pathComponent.test(part)) &&
    (tag === null || tagName.test(tag)) &&
    (digest === null || sha256.test(digest));
  if (!isWellFormed) throw new RangeError('invalid reference format');
  if (path.length > longestName)
    throw new RangeError(`repository name must not be more than ${longestName} characters`);
  return { domain, path, tag, digest };
}

/** `latest` for a name that says neither tag nor digest. */
export function withDefaultTag<N extends ImageName>(name: N): N {
  return name.tag === null && name.digest === null ? { ...name, tag: 'latest' } : name;
}

/** The full form, the key under which a name is stored. Where there are both, the digest decides and the tag is for the eye. */
export function formatImageName(name: ImageName): string {
  return `${name.domain}/${name.path}${suffixOf(name)}`;
}

/** The short form that people see: `ubuntu:latest`, `ghcr.io/owner/name:1`. */
export function familiarImageName(name: ImageName): string {
  return `${familiarRepository(name)}${suffixOf(name)}`;
}

/** The short form without tag and digest: `ubuntu`. */
export function familiarRepository({ domain, path }: ImageName): string {
  if (domain !== defaultDomain) return `${domain}/${path}`;
  const isOfficial = path.startsWith(officialPrefix) && !path.slice(officialPrefix.length).includes('/');
  return isOfficial ? path.slice(officialPrefix.length) : path;
}

function suffixOf({ tag, digest }: ImageName): string {
  return `${tag === null ? '' : `:${tag}`}${digest === null ? '' : `@${digest}`}`;
}

function splitName(text: string): { name: string; tag: string | null; digest: string | null } {
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
