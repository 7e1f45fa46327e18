/** `X-Registry-Auth`: what a client sends along of its user's credentials for one registry (source: Engine API, "Authentication"). */
import type { Credentials } from './registry.ts';

/** A header that is larger holds no credentials. */
const longestHeader = 64 * 1024;

/**
 * Base64 of JSON, in either alphabet, padded or not. What cannot be read counts as nothing, as with dockerd: the registry then
 * says what it wants, and clients of old send `{}` or rubbish for public images.
 */
export function parseRegistryAuth(header: string | readonly string[] | undefined): Credentials {
  const text = typeof header === 'string' ? header : (header?.[0] ?? '');
  return text.length > longestHeader ? { kind: 'none' } : credentialsOf(fieldsIn(text));
}

/** Of an object with docker's field names, as in the header and in the body of `POST /auth`. */
export function credentialsOf(fields: Readonly<Record<string, unknown>>): Credentials {
  const texts = new Map(Object.entries(fields).map(([name, value]) => [name.toLowerCase(), value]));
  const field = (name: string): string => {
    const value = texts.get(name);
    return typeof value === 'string' ? value : '';
  };
  if (field('registrytoken') !== '') return { kind: 'registry-token', token: field('registrytoken') };
  if (field('identitytoken') !== '') return { kind: 'identity-token', token: field('identitytoken') };
  const [user, password] = field('username') === '' ? pairOf(field('auth')) : [field('username'), field('password')];
  return user === '' ? { kind: 'none' } : { kind: 'basic', user, password };
}

/** As in docker's configuration file: base64 of `user:password`, with zeros behind it in very old ones. */
function pairOf(auth: string): readonly [string, string] {
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon === -1 ? ['', ''] : [text.slice(0, colon), text.slice(colon + 1).replace(/\0+$/, '')];
}

function fieldsIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
    if (typeof value !== 'object' || value === null) return {};
    // Go reads names in any case, and clients write them so.
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name.toLowerCase(), field as unknown]));
  } catch {
    return {}; // counts as no credentials; see above
  }
}
