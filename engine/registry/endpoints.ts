/** Where a repository can be reached: its mirrors, then the registry itself; what is insecure over HTTPS first, then without. */
import type { Reference } from '../images/reference.ts';
import { isInsecure, type RegistrySettings } from './registry-settings.ts';

export interface Endpoint {
  /** Ends with a slash; `v2/` comes next. */
  readonly url: string;
  /** The registry as people name it: `docker.io`. */
  readonly registry: string;
  /** A mirror gets no credentials: they are the registry's. */
  readonly role: 'registry' | 'mirror';
}

const hosts: Readonly<Record<string, string>> = { 'docker.io': 'registry-1.docker.io' };

export function endpointsOf(
  { domain }: Pick<Reference, 'domain'>,
  purpose: 'pull' | 'push' | 'inspect',
  settings: RegistrySettings,
): readonly Endpoint[] {
  const mirrors = purpose === 'push' ? [] : settings.mirrors.filter(({ registry }) => registry === domain);
  const host = hosts[domain] ?? domain;
  const schemes = isInsecure(domain, settings) ? ['https', 'http'] : ['https'];
  return [
    ...mirrors.map(({ url }): Endpoint => ({ url, registry: domain, role: 'mirror' })),
    ...schemes.map((scheme): Endpoint => ({ url: `${scheme}://${host}/`, registry: domain, role: 'registry' })),
  ];
}
