/** Flags and keys of the configuration file that tell about registries. */
import path from 'node:path';
import { invalid } from '../model/errors.ts';
import { parseInsecure, parseMirror, parseTokenServer, type RegistrySettings } from '../registry/registry-settings.ts';

export const registryOptions = {
  'registry-mirror': { type: 'string', multiple: true },
  'insecure-registry': { type: 'string', multiple: true },
  'registry-token-server': { type: 'string', multiple: true },
  'registry-certs': { type: 'string', multiple: true },
  'registry-silence': { type: 'string' },
  'http-proxy': { type: 'string' },
  'https-proxy': { type: 'string' },
  'no-proxy': { type: 'string' },
  'max-concurrent-downloads': { type: 'string' },
  'max-concurrent-uploads': { type: 'string' },
  'max-download-attempts': { type: 'string' },
} as const;

/** Keys of the configuration file and the flag that says the same. dockerd's proxies lie in an object: see `flattenProxies`. */
export const registryFileKeys = {
  'registry-mirrors': 'registry-mirror',
  'insecure-registries': 'insecure-registry',
  'registry-token-servers': 'registry-token-server',
  'registry-certs': 'registry-certs',
  'registry-silence': 'registry-silence',
  'http-proxy': 'http-proxy',
  'https-proxy': 'https-proxy',
  'no-proxy': 'no-proxy',
  'max-concurrent-downloads': 'max-concurrent-downloads',
  'max-concurrent-uploads': 'max-concurrent-uploads',
  'max-download-attempts': 'max-download-attempts',
} as const;

export const registryUsage = `
Registries (read again on HUP):
      --registry-mirror [REGISTRY=]URL  asked before the registry itself (default: before Docker Hub); may be given again
      --insecure-registry HOST|RANGE    reached without proof of who it is, over plain HTTP too; loopback always is
      --registry-token-server REGISTRY=HOST  a host of another name that may see the credentials of a registry
      --registry-certs DIR              DIR/HOST/{ca.crt,client.cert,client.key} (default /etc/skiff/certs.d, /etc/docker/certs.d)
      --registry-silence SECONDS        how long a registry may say nothing (default 60)
      --http-proxy, --https-proxy URL, --no-proxy LIST  (default: the variables of these names)
      --max-concurrent-downloads N      layers of one pull (default 3)
      --max-concurrent-uploads N        layers of one push (default 5)
      --max-download-attempts N         tries of a step that makes no headway (default 5)
`;

const defaultCertificateFolders = ['/etc/skiff/certs.d', '/etc/docker/certs.d'];

type Values = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** dockerd's `"proxies": {"http-proxy": …}` and numbers of a configuration file, as the flags have them. Throws what `fail` makes of a wrong one. */
export function flattenRegistryKeys(
  parsed: Readonly<Record<string, unknown>>,
  fail: (why: string) => never,
): Readonly<Record<string, unknown>> {
  const { proxies, ...rest } = parsed;
  if (proxies !== undefined && (typeof proxies !== 'object' || proxies === null || Array.isArray(proxies)))
    fail('proxies must be an object');
  const inner = Object.entries((proxies ?? {}) as Readonly<Record<string, unknown>>);
  const strange = inner.find(([key]) => !['http-proxy', 'https-proxy', 'no-proxy'].includes(key));
  if (strange !== undefined)
    fail(`the following directives don't match any configuration option: proxies.${strange[0]}`);
  const isCount = (key: string): boolean => key.startsWith('max-') || key === 'registry-silence';
  return Object.fromEntries(
    [...Object.entries(rest), ...inner].map(([key, value]) => [
      key,
      isCount(key) && typeof value === 'number' ? String(value) : value,
    ]),
  );
}

/** `env`: where proxies stand when nothing else names them. Throws `invalid` naming the flag. */
export function registrySettings(values: Values, env: Readonly<Record<string, string | undefined>>): RegistrySettings {
  const list = (name: keyof typeof registryOptions): readonly string[] => {
    const value = values[name];
    return Array.isArray(value) ? (value as readonly string[]) : [];
  };
  const count = (name: keyof typeof registryOptions, otherwise: number): number => {
    const value = values[name];
    if (typeof value !== 'string') return otherwise;
    if (!/^[1-9]\d{0,5}$/.test(value))
      throw invalid(`invalid value "${value}" for --${name}: expected a whole number above 0`);
    return Number(value);
  };
  const folders = list('registry-certs');
  return {
    mirrors: list('registry-mirror').map(parseMirror),
    insecure: list('insecure-registry').map(parseInsecure),
    tokenServers: list('registry-token-server').map(parseTokenServer),
    certificateFolders:
      folders.length === 0 ? defaultCertificateFolders : folders.map((folder) => path.resolve(folder)),
    proxy: {
      http: proxyUrl('http-proxy', values, env),
      https: proxyUrl('https-proxy', values, env),
      none: text('no-proxy', values, env),
    },
    silenceMs: count('registry-silence', 60) * 1000,
    attempts: count('max-download-attempts', 5),
    downloadsAtOnce: count('max-concurrent-downloads', 3),
    uploadsAtOnce: count('max-concurrent-uploads', 5),
  };
}

function text(
  name: 'http-proxy' | 'https-proxy' | 'no-proxy',
  values: Values,
  env: Readonly<Record<string, string | undefined>>,
): string | null {
  const value = values[name];
  if (typeof value === 'string') return value === '' ? null : value;
  const variable = name.replace('-', '_');
  return env[variable.toUpperCase()] || env[variable] || null;
}

function proxyUrl(
  name: 'http-proxy' | 'https-proxy',
  values: Values,
  env: Readonly<Record<string, string | undefined>>,
): string | null {
  const value = text(name, values, env);
  if (value === null) return null;
  const whole = value.includes('://') ? value : `http://${value}`;
  const protocol = URL.canParse(whole) ? new URL(whole).protocol : '';
  // The address is not shown: it may hold a password.
  if (!['http:', 'https:'].includes(protocol))
    throw invalid(
      `the proxy of --${name} (or of ${name.replace('-', '_').toUpperCase()}) must be an http or https URL`,
    );
  return whole;
}
