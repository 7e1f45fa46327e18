/** For tests of this room: registries that are given up sooner than at people's, and small builders. */
import { parseReference } from '../images/reference.ts';
import { type OpenRegistries, openRegistries } from './open-registries.ts';
import type { Credentials, Repository } from './registry.ts';
import type { RegistrySettings } from './registry-settings.ts';

export const quietSettings: RegistrySettings = {
  mirrors: [],
  insecure: [],
  certificateFolders: [],
  tokenServers: [],
  proxy: { http: null, https: null, none: null },
  silenceMs: 20_000,
  attempts: 3,
  downloadsAtOnce: 3,
  uploadsAtOnce: 5,
};

export const nobody: Credentials = { kind: 'none' };
export const ada: Credentials = { kind: 'basic', user: 'ada', password: 'lovelace-s3cret' };

export function openWorld(
  settings: Partial<RegistrySettings> = {},
  report: (message: string) => void = () => undefined,
): OpenRegistries {
  return openRegistries({
    settings: { ...quietSettings, ...settings },
    userAgent: 'skiff/test',
    nowMs: Date.now,
    random: () => 0.5,
    report: (message, facts) => report(`${message} ${JSON.stringify(facts)} ${String(facts['error'])}`),
    firstWaitMs: 10,
  });
}

export function repositoryOf(
  registries: OpenRegistries,
  name: string,
  options: { readonly credentials?: Credentials; readonly purpose?: 'pull' | 'push' } = {},
): Repository {
  const { credentials = nobody, purpose = 'pull' } = options;
  return registries.repository(parseReference(name), credentials, purpose);
}

export async function collected(bytes: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}
