/** Which requests go through a proxy (source: Go's golang.org/x/net/http/httpproxy, which dockerd follows). */
import net from 'node:net';
import { isInsecure, hostName, type RegistrySettings } from './registry-settings.ts';

/** The proxy's address, or null. This computer itself is never reached through one. */
export function proxyFor(url: URL, { proxy }: Pick<RegistrySettings, 'proxy'>): string | null {
  const chosen = url.protocol === 'https:' ? proxy.https : proxy.http;
  if (chosen === null || chosen === '') return null;
  const name = hostName(url.hostname);
  const isHere = isInsecure(name, { insecure: [] });
  return isHere || isExcepted(url, proxy.none ?? '') ? null : chosen;
}

function isExcepted(url: URL, list: string): boolean {
  const name = hostName(url.hostname);
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return list
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .some((entry) => entry !== '' && matches(entry, name, port));
}

/** `*`, `example.com` (and all below it), `.example.com` (only below it), an address or a range, each but the last with a port or without. */
function matches(entry: string, name: string, port: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return net.isIP(name) !== 0 && isInsecure(name, { insecure: [entry] });
  const wantedPort = net.isIP(entry) === 6 ? undefined : /:(\d+)$/.exec(entry)?.[1];
  if (wantedPort !== undefined && wantedPort !== port) return false;
  const wanted = (wantedPort === undefined ? entry : entry.slice(0, -wantedPort.length - 1)).replace(/^\*\./, '.');
  if (wanted.startsWith('.')) return name.endsWith(wanted);
  return name === hostName(wanted) || (net.isIP(name) === 0 && name.endsWith(`.${wanted}`));
}
