import { loopbackRanges, type RegistrySettings } from '../../registry/registry-settings.ts';

/** What `/info` tells about registries (source: Engine API, RegistryServiceConfig): clients take the key of their credentials for Docker Hub from it. */
export function registryInfo({ mirrors, insecure, proxy }: RegistrySettings): object {
  const mirrorsOf = (registry: string): readonly string[] =>
    mirrors.filter((mirror) => mirror.registry === registry).map(({ url }) => url);
  const hub = mirrorsOf('docker.io');
  const others = new Set([
    ...insecure.filter((entry) => !entry.includes('/')),
    ...mirrors.map(({ registry }) => registry).filter((registry) => registry !== 'docker.io'),
  ]);
  const indexes = [...others].map((name) => [
    name,
    { Name: name, Mirrors: mirrorsOf(name), Secure: !insecure.includes(name), Official: false },
  ]);
  return {
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: {
      IndexConfigs: {
        'docker.io': { Name: 'docker.io', Mirrors: hub, Secure: true, Official: true },
        ...Object.fromEntries(indexes),
      },
      InsecureRegistryCIDRs: [...loopbackRanges, ...insecure.filter((entry) => entry.includes('/'))],
      Mirrors: hub.length === 0 ? null : hub,
    },
    HttpProxy: withoutSecrets(proxy.http),
    HttpsProxy: withoutSecrets(proxy.https),
    NoProxy: proxy.none ?? '',
  };
}

function withoutSecrets(address: string | null): string {
  return (address ?? '').replace(/^([a-z]+:\/\/)[^@/]*@/i, '$1xxxxx:xxxxx@');
}
