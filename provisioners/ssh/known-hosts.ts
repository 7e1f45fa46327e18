import { createHmac } from 'node:crypto';

/**
 * OpenSSH's known_hosts, as sshd(8) describes the file: which keys a host is known by. Names may be patterns, lists with
 * exclusions, or hashed.
 */
export interface KnownHost {
  readonly keys: readonly KnownKey[];
  readonly revoked: readonly KnownKey[];
}

export interface KnownKey {
  /** `ssh-ed25519`. */
  readonly type: string;
  readonly blob: Buffer;
}

export function findKnownHost(text: string, where: { readonly host: string; readonly port: number }): KnownHost {
  const { host, port } = where;
  const name = port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
  const [keys, revoked]: [KnownKey[], KnownKey[]] = [[], []];
  for (const line of text.split('\n')) {
    const words = line.trim().split(/\s+/);
    if (words[0] === undefined || words[0] === '' || words[0].startsWith('#')) continue;
    const marker = words[0].startsWith('@') ? words.shift() : undefined;
    const [names, type, encoded] = words;
    if (names === undefined || type === undefined || encoded === undefined || !namesMatch(names, name)) continue;
    const key = { type, blob: Buffer.from(encoded, 'base64') };
    // A certificate authority's key signs host keys; it is none itself.
    if (marker === undefined) keys.push(key);
    else if (marker === '@revoked') revoked.push(key);
  }
  return { keys, revoked };
}

function namesMatch(names: string, name: string): boolean {
  if (names.startsWith('|1|')) return hashMatches(names, name);
  let isMatch = false;
  for (const pattern of names.toLowerCase().split(',')) {
    const isExclusion = pattern.startsWith('!');
    if (!patternMatches(isExclusion ? pattern.slice(1) : pattern, name)) continue;
    if (isExclusion) return false;
    isMatch = true;
  }
  return isMatch;
}

/** `|1|salt|hash`, HMAC-SHA1 of the name. */
function hashMatches(entry: string, name: string): boolean {
  const [, , salt = '', hash = ''] = entry.split('|');
  return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash;
}

function patternMatches(pattern: string, name: string): boolean {
  const expression = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${expression}$`).test(name);
}
