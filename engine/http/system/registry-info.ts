import os from 'node:os';
import type { NewEvent } from '../../events/events.ts';
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

/** What clients hear when the configuration was read again: the settings that hold from now on, as dockerd names them. */
export function reloadEvent(engineId: string, settings: RegistrySettings): NewEvent {
  const { mirrors, insecure, downloadsAtOnce, uploadsAtOnce, attempts } = settings;
  const hub = mirrors.filter(({ registry }) => registry === 'docker.io').map(({ url }) => url);
  return {
    type: 'daemon',
    action: 'reload',
    actorId: engineId,
    attributes: {
      name: os.hostname(),
      'insecure-registries': JSON.stringify([...insecure, ...loopbackRanges]),
      'registry-mirrors': JSON.stringify(hub),
      'max-concurrent-downloads': String(downloadsAtOnce),
      'max-concurrent-uploads': String(uploadsAtOnce),
      'max-download-attempts': String(attempts),
    },
  };
}

function withoutSecrets(address: string | null): string {
  return (address ?? '').replace(/^([a-z]+:\/\/)[^@/]*@/i, '$1xxxxx:xxxxx@');
}
