/** `/etc/resolv.conf` of a container, as text (source: resolv.conf(5)). Pure. */
import { isIPv4 } from 'node:net';
import type { ContainerSpec } from '../spec/spec.ts';

/**
 * Where a container's questions go. `resolver`: to the engine's name server on 127.0.0.11, which passes on what it does not
 * know. `direct`: to the servers themselves; those that listen on the host's loopback are no use to a container. `host`: as the host's own.
 */
export type ResolvConfKind = 'resolver' | 'direct' | 'host';

export const resolverAddress = '127.0.0.11';
const publicResolvers = ['8.8.8.8', '8.8.4.4'];

/** What the client gives replaces the host's word by word; `--dns-search .` clears. */
export function resolvConfText(
  { network }: Pick<ContainerSpec, 'network'>,
  { kind, host }: { readonly kind: ResolvConfKind; readonly host: string },
): string {
  const { dns, dnsSearch, dnsOptions } = network;
  if (kind === 'host' && dns.length + dnsSearch.length + dnsOptions.length === 0) return host;
  const hostServers = wordsOf(host, 'nameserver');
  const search = dnsSearch.length > 0 ? dnsSearch.filter((domain) => domain !== '.') : hostSearch(host);
  const options = dnsOptions.length > 0 ? dnsOptions : wordsOf(host, 'options');
  const isNdotsGiven = options.some((option) => option.startsWith('ndots:'));
  return [
    '# Made by the Skiff engine. It may be edited: the engine changes no file that somebody else has changed.',
    '',
    ...serversFor(kind, { given: dns, host: hostServers }).map((address) => `nameserver ${address}`),
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    // A name of one word is a container's more often than not: it is asked for as it is, before any domain is put to it.
    ...optionsLine(kind === 'resolver' && !isNdotsGiven ? [...options, 'ndots:0'] : options),
    ...(kind === 'resolver' ? ['', `# Names of no container are asked of: ${upstreamText(dns, hostServers)}`] : []),
    '',
  ].join('\n');
}

/** The client, or the host, wants names of one word to get a domain first. */
export function asksForDomains({ network }: Pick<ContainerSpec, 'network'>, host: string): boolean {
  const options = network.dnsOptions.length > 0 ? network.dnsOptions : wordsOf(host, 'options');
  return options.some((option) => /^ndots:[1-9]/.test(option));
}

export function asksResolver(text: string): boolean {
  return wordsOf(text, 'nameserver').includes(resolverAddress);
}

function serversFor(
  kind: ResolvConfKind,
  servers: { readonly given: readonly string[]; readonly host: readonly string[] },
): readonly string[] {
  if (kind === 'resolver') return [resolverAddress];
  if (servers.given.length > 0) return servers.given;
  if (kind === 'host') return servers.host;
  const reachable = servers.host.filter((address) => isIPv4(address) && !address.startsWith('127.'));
  return reachable.length > 0 ? reachable : publicResolvers;
}

function upstreamText(given: readonly string[], host: readonly string[]): string {
  if (given.length > 0) return given.join(', ');
  return host.length > 0 ? host.map((address) => `${address} (from the host)`).join(', ') : publicResolvers.join(', ');
}

function hostSearch(host: string): readonly string[] {
  const search = wordsOf(host, 'search');
  return search.length > 0 ? search : wordsOf(host, 'domain');
}

function optionsLine(options: readonly string[]): readonly string[] {
  return options.length > 0 ? [`options ${options.join(' ')}`] : [];
}

function wordsOf(text: string, keyword: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([first]) => first === keyword)
    .flatMap(([, ...words]) => words.slice(0, keyword === 'nameserver' ? 1 : undefined));
}
