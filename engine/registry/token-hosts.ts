/**
 * To whom the credentials of a registry may be told. A registry answers 401 with the address of a token server (`realm`),
 * and who can write that answer would get the password sent to any host he likes (CVE-2020-15157 and its kin). So they go
 * to the registry's own host, to a host of the same site (`registry-1.docker.io` and `auth.docker.io`, `registry.gitlab.com`
 * and `gitlab.com`), and to those that the settings name; never over plain HTTP, unless the registry itself is reached so.
 */
import net from 'node:net';
import { EngineError } from '../model/errors.ts';
import { hostName, isInsecure, type RegistrySettings } from './registry-settings.ts';

/** Below these, neighbours are strangers to each other. Two-part endings of countries (`co.uk`) are found by their form. */
const sharedSuffixes = [
  'amazonaws.com',
  'appspot.com',
  'azure.com',
  'azurecr.io',
  'azurewebsites.net',
  'cloudfront.net',
  'duckdns.org',
  'fly.dev',
  'github.io',
  'gitlab.io',
  'googleusercontent.com',
  'herokuapp.com',
  'netlify.app',
  'ngrok.app',
  'ngrok.io',
  'nip.io',
  'onrender.com',
  'pages.dev',
  'run.app',
  'sslip.io',
  'trycloudflare.com',
  'vercel.app',
  'web.app',
  'workers.dev',
];
const countryEnding = /^(?:ac|co|com|edu|go|gob|gov|mil|ne|net|nom|or|org)\.[a-z]{2}$/;

/** Hosted registries whose token server has another name. */
const knownPairs: readonly { readonly registry: RegExp; readonly host: string }[] = [
  { registry: /\.scw\.cloud$/, host: 'api.scaleway.com' },
];

export interface TokenHostQuestion {
  /** The registry's address, as it was reached. */
  readonly registry: URL;
  readonly realm: URL;
  readonly proof: 'credentials' | 'anonymous';
}

/** Throws `unauthorized`, with what to do about it. */
export function assertTokenHost({ registry, realm, proof }: TokenHostQuestion, settings: RegistrySettings): void {
  const refuse = (why: string): EngineError =>
    new EngineError('unauthorized', `unauthorized: ${registry.host} asks for a token from ${realm.origin}: ${why}`);
  if (!['http:', 'https:'].includes(realm.protocol)) throw refuse('only http and https are supported');
  if (realm.username !== '' || realm.password !== '') throw refuse('username/password not allowed in a realm');
  const isPlainAllowed = registry.protocol === 'http:' && mayBePlain(registry, realm, settings);
  if (realm.protocol === 'http:' && !isPlainAllowed) throw refuse('tokens are not fetched over plain HTTP');
  if (proof === 'anonymous' || isTrusted(registry, realm, settings)) return;
  throw refuse(
    `credentials are not sent to another host; if it is the registry's own, start the engine with --registry-token-server ${registry.host}=${realm.host}`,
  );
}

/** A registry somewhere has no business with what listens on this computer's loopback. */
function mayBePlain(registry: URL, realm: URL, settings: RegistrySettings): boolean {
  const isLoopback = ({ host }: URL): boolean => isInsecure(host, { insecure: [] });
  const isMeant = isInsecure(realm.host, settings) && (!isLoopback(realm) || isLoopback(registry));
  return isSameHost(registry, realm) || isMeant;
}

function isTrusted(registry: URL, realm: URL, settings: RegistrySettings): boolean {
  if (isSameHost(registry, realm)) return true;
  const isNamed = settings.tokenServers.some(
    (pair) =>
      (pair.registry === registry.host || pair.registry === registry.hostname) &&
      (pair.host === realm.host || pair.host === realm.hostname),
  );
  if (isNamed || knownPairs.some((pair) => pair.registry.test(registry.hostname) && pair.host === realm.host))
    return true;
  return isSameSite(registry.hostname, realm.hostname);
}

function isSameHost(one: URL, other: URL): boolean {
  return hostName(one.hostname) === hostName(other.hostname);
}

/** Both end with a name of at least two parts that one owner has. */
function isSameSite(one: string, other: string): boolean {
  if (net.isIP(hostName(one)) !== 0 || net.isIP(hostName(other)) !== 0) return false;
  const others = other.split('.').toReversed();
  const parts = one.split('.').toReversed();
  const different = parts.findIndex((part, index) => part !== others[index]);
  const shared = parts.slice(0, different === -1 ? parts.length : different).toReversed();
  const name = shared.join('.');
  const isOfStrangers = sharedSuffixes.some((suffix) => name === suffix || name.endsWith(`.${suffix}`));
  return shared.length >= 2 && !isOfStrangers && !countryEnding.test(name);
}
