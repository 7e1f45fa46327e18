/** What skiffd is told about registries. Names and meanings are dockerd's where dockerd has them. */
import net from 'node:net';
import { invalid } from '../model/errors.ts';

export interface RegistrySettings {
  /** Asked before the registry itself, pulls alone, in this order. */
  readonly mirrors: readonly Mirror[];
  /** `host`, `host:port` or an address range (`10.0.0.0/8`): reached without proof of who they are, over plain HTTP too. */
  readonly insecure: readonly string[];
  /** Folders like `/etc/docker/certs.d`: one folder for each `host[:port]`, the first that has one counts. */
  readonly certificateFolders: readonly string[];
  /** Hosts that are trusted with the credentials of a registry of another name: see `token-hosts.ts`. */
  readonly tokenServers: readonly TokenServer[];
  /** As in the environment of any program: `http://proxy:3128`, `localhost,10.0.0.0/8,.example.com`. Null: there is none. */
  readonly proxy: { readonly http: string | null; readonly https: string | null; readonly none: string | null };
  /** How long a registry may be silent before its connection is given up. */
  readonly silenceMs: number;
  /** How often a download or upload is tried that makes no headway. */
  readonly attempts: number;
  /** Layers of one pull, of one push. */
  readonly downloadsAtOnce: number;
  readonly uploadsAtOnce: number;
}

export interface Mirror {
  /** The registry that it stands for: `docker.io`. */
  readonly registry: string;
  /** Without `/v2/`; ends with a slash. */
  readonly url: string;
}

export interface TokenServer {
  readonly registry: string;
  readonly host: string;
}

const defaultRegistry = 'docker.io';
/** Always insecure, as with dockerd: nobody listens in between. */
export const loopbackRanges = ['::1/128', '127.0.0.0/8'];

/** `https://mirror.example` stands for Docker Hub, `quay.io=https://mirror.example/quay` for another. Throws `invalid` naming the flag. */
export function parseMirror(text: string): Mirror {
  const equals = /^([^/=]+)=(.*)$/.exec(text);
  const registry = equals?.[1] ?? defaultRegistry;
  const refuse = (why: string): Error => invalid(`invalid mirror: "${text}": ${why} (--registry-mirror)`);
  const url = URL.canParse(equals?.[2] ?? text) ? new URL(equals?.[2] ?? text) : null;
  if (url === null) throw refuse('not a valid URL');
  if (!['http:', 'https:'].includes(url.protocol)) throw refuse('only http and https are supported');
  if (url.username !== '' || url.password !== '') throw refuse('username/password not allowed in URI');
  if (url.search !== '' || url.hash !== '') throw refuse('query and fragment are not allowed in URI');
  return { registry, url: url.href.endsWith('/') ? url.href : `${url.href}/` };
}

/** `host`, `host:port` or `address/bits`. Throws `invalid`. */
export function parseInsecure(text: string): string {
  const value = text.replace(/^https?:\/\//i, '').toLowerCase();
  const [address = '', bits] = value.split('/');
  const isRange = bits !== undefined && net.isIP(address) !== 0 && /^\d{1,3}$/.test(bits);
  const isHost =
    bits === undefined && !value.startsWith('-') && /^[a-z0-9.-]+(:\d{1,5})?$|^\[[0-9a-f:]+\](:\d{1,5})?$/.test(value);
  const isRangeGood = isRange && Number(bits) <= (net.isIP(address) === 4 ? 32 : 128);
  if (!isHost && !isRangeGood)
    throw invalid(`invalid value "${text}" for --insecure-registry: expected HOST, HOST:PORT or ADDRESS/BITS`);
  return value;
}

/** `registry.example.com=auth.example.net`. Throws `invalid`. */
export function parseTokenServer(text: string): TokenServer {
  const match = /^([^\s/=]+)=([^\s/=]+)$/.exec(text.toLowerCase());
  if (match?.[1] === undefined || match[2] === undefined)
    throw invalid(`invalid value "${text}" for --registry-token-server: expected REGISTRY=HOST`);
  return { registry: match[1], host: match[2] };
}

/**
 * Whether a host (`name[:port]`) is one of the insecure ones. Names are not looked up: dockerd does, and a name server's
 * answer then decides whether proof is asked for.
 */
export function isInsecure(host: string, settings: Pick<RegistrySettings, 'insecure'>): boolean {
  const name = hostName(host);
  if (name === 'localhost') return true;
  if (settings.insecure.some((entry) => entry === host.toLowerCase() || entry === name)) return true;
  const family = net.isIP(name);
  if (family === 0) return false;
  const ranges = new net.BlockList();
  for (const range of [...loopbackRanges, ...settings.insecure.filter((entry) => entry.includes('/'))]) {
    const [address = '', bits = ''] = range.split('/');
    ranges.addSubnet(address, Number(bits), net.isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
  return ranges.check(name, family === 6 ? 'ipv6' : 'ipv4');
}

/** Without port and brackets, in lower case. */
export function hostName(host: string): string {
  const bracketed = /^\[(.*)\](?::\d+)?$/.exec(host)?.[1];
  const bare = net.isIP(host) === 6 ? host : (bracketed ?? host.replace(/:\d+$/, ''));
  return bare.toLowerCase();
}
