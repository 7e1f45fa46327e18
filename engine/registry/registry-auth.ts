/** The header `X-Registry-Auth`: what a client sends along of its user's credentials (source: Engine API, "Authentication"). */
import type { Credentials } from './registry.ts';

const none: Credentials = { kind: 'none' };

/**
 * Base64 of JSON, in either alphabet, with padding or without. What cannot be read counts as nothing, as with dockerd: the registry then says
 * what it wants, and clients of old send `{}` or rubbish for public images.
 */
export function parseRegistryAuth(header: string | readonly string[] | undefined): Credentials {
  const text = typeof header === 'string' ? header : (header?.[0] ?? '');
  const fields = fieldsOf(text);
  const field = (name: string): string => (typeof fields[name] === 'string' ? fields[name] : '');
  if (field('registrytoken') !== '') return { kind: 'registry-token', token: field('registrytoken') };
  if (field('identitytoken') !== '') return { kind: 'identity-token', token: field('identitytoken') };
  const [user, password] = field('username') === '' ? pairOf(field('auth')) : [field('username'), field('password')];
  return user === '' ? none : { kind: 'basic', user, password };
}

/** As in docker's configuration file: base64 of `user:password`. */
function pairOf(auth: string): readonly [string, string] {
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon === -1 ? ['', ''] : [text.slice(0, colon), text.slice(colon + 1).replace(/\0+$/, '')];
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    // Node reads both alphabets, padded or not.
    const value: unknown = JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
