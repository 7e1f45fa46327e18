/** The three files of /etc that the engine writes for a container; they are bind-mounted, so they are always rewritten in place. */
import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import net from 'node:net';
import type { EndpointPlan } from '../networks/networks.ts';
import type { ContainerSpec } from './spec.ts';

export interface NetworkFiles {
  readonly hosts: string;
  readonly hostname: string;
  readonly resolvConf: string;
}

export function networkFilePaths(folder: string): NetworkFiles {
  return {
    hosts: path.join(folder, 'hosts'),
    hostname: path.join(folder, 'hostname'),
    resolvConf: path.join(folder, 'resolv.conf'),
  };
}

export function writeNetworkFiles(folder: string, spec: ContainerSpec, plan: EndpointPlan): NetworkFiles {
  const files = networkFilePaths(folder);
  const isHost = plan.mode === 'host';
  const hostname = isHost ? os.hostname() : spec.hostname;
  writeFileSync(files.hostname, `${hostname}\n`, { mode: 0o644 });
  writeFileSync(files.hosts, isHost ? hostFile('/etc/hosts') : hostsText(spec, plan), { mode: 0o644 });
  writeFileSync(
    files.resolvConf,
    isHost ? hostFile('/etc/resolv.conf') : resolvConfText(spec, hostFile('/etc/resolv.conf')),
    { mode: 0o644 },
  );
  return files;
}

function hostsText(spec: ContainerSpec, plan: EndpointPlan): string {
  const own = spec.domainname === '' ? spec.hostname : `${spec.hostname}.${spec.domainname} ${spec.hostname}`;
  const lines = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::\tip6-localnet',
    'ff00::\tip6-mcastprefix',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    ...spec.network.extraHosts.map((entry) => {
      const at = entry.indexOf(':');
      const address = entry.slice(at + 1);
      return `${address === 'host-gateway' ? (plan.endpoints[0]?.ipv4?.gateway ?? '127.0.0.1') : address}\t${entry.slice(0, at)}`;
    }),
    ...plan.endpoints.flatMap(({ ipv4, ipv6 }) =>
      [ipv4, ipv6].flatMap((one) => (one === null ? [] : [`${one.address}\t${own}`])),
    ),
  ];
  return `${lines.join('\n')}\n`;
}

const publicResolvers = ['8.8.8.8', '8.8.4.4'];

/**
 * The host's resolvers without those that listen on its loopback, which a container cannot reach; docker's public ones when
 * none is left. What the client gives replaces the host's word by word.
 */
export function resolvConfText(spec: Pick<ContainerSpec, 'network'>, host: string): string {
  const { dns, dnsSearch, dnsOptions } = spec.network;
  const words = (keyword: string): readonly string[] =>
    host
      .split('\n')
      .filter((line) => line.startsWith(`${keyword} `) || line.startsWith(`${keyword}\t`))
      .flatMap((line) => line.trim().split(/\s+/).slice(1));
  const reachable = words('nameserver').filter((address) => net.isIP(address) === 4 && !address.startsWith('127.'));
  const servers = dns.length > 0 ? dns : reachable.length > 0 ? reachable : publicResolvers;
  const search = dnsSearch.length > 0 ? dnsSearch.filter((domain) => domain !== '.') : words('search');
  const options = dnsOptions.length > 0 ? dnsOptions : words('options');
  return [
    ...servers.map((address) => `nameserver ${address}`),
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
    '',
  ].join('\n');
}

function hostFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}
