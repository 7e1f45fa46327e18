/**
 * The three files of /etc that the engine writes for a container. They are bind-mounted, so they are always rewritten in
 * place; a container that shares another's network shares its files.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { EndpointPlan } from '../../networks/networks.ts';
import { type LinkedHost, changedHostsText, changedLinkText, hostsText } from './hosts-file.ts';
import { type ResolvConfKind, asksForDomains, asksResolver, resolvConfText } from './resolv-conf.ts';
import type { ContainerSpec } from '../spec/spec.ts';

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

/** At each start: what a program wrote into them the last time is gone, as with docker. */
export function writeNetworkFiles(
  folder: string,
  facts: {
    readonly spec: ContainerSpec;
    readonly plan: EndpointPlan;
    readonly hostGateway: string;
    readonly linked: readonly LinkedHost[];
  },
): NetworkFiles {
  const files = networkFilePaths(folder);
  const { spec, plan } = facts;
  const isHost = plan.mode === 'host';
  const hostname = spec.hostname === '' ? os.hostname() : spec.hostname;
  writeFileSync(files.hostname, `${hostname}\n`, { mode: 0o644 });
  const hosts = isHost && spec.network.extraHosts.length === 0 ? hostFile('/etc/hosts') : hostsText(facts);
  writeFileSync(files.hosts, hosts, { mode: 0o644 });
  writeResolvConf(folder, spec, isHost ? 'host' : hasNames(plan) ? 'resolver' : 'direct');
  return files;
}

/** After a connect or a disconnect. A container that has asked the resolver once goes on asking it: its program may have read the file already. */
export function changeNetworkFiles(
  folder: string,
  { spec, before, after }: { spec: ContainerSpec; before: EndpointPlan; after: EndpointPlan },
): void {
  const files = networkFilePaths(folder);
  const hosts = hostFile(files.hosts);
  const changed = changedHostsText(hosts, { spec, before, after });
  if (changed !== hosts) writeFileSync(files.hosts, changed);
  const resolvConf = hostFile(files.resolvConf);
  const isOurs = digestOf(resolvConf) === hostFile(digestPath(folder));
  if (isOurs && hasNames(after) && !asksResolver(resolvConf)) writeResolvConf(folder, spec, 'resolver');
}

/** A container that it is linked to was started again. */
export function changeLinkedHost(folder: string, host: LinkedHost): void {
  const file = networkFilePaths(folder).hosts;
  const text = hostFile(file);
  const changed = changedLinkText(text, host);
  if (changed !== text) writeFileSync(file, changed);
}

/** Whether the container's questions come to 127.0.0.11, as far as the engine knows. */
export function hasResolver(folder: string, plan: EndpointPlan): boolean {
  return plan.mode === 'network' && (hasNames(plan) || asksResolver(hostFile(networkFilePaths(folder).resolvConf)));
}

/** A word alone is to be asked for with a domain first: by the client's options, or the host's. */
export function wantsDomains(spec: ContainerSpec): boolean {
  return asksForDomains(spec, hostFile('/etc/resolv.conf'));
}

/** In a network of a client's making, names of containers mean something. */
function hasNames({ endpoints }: EndpointPlan): boolean {
  return endpoints.some(({ networkName }) => networkName !== 'bridge');
}

function writeResolvConf(folder: string, spec: ContainerSpec, kind: ResolvConfKind): void {
  const text = resolvConfText(spec, { kind, host: hostFile('/etc/resolv.conf') });
  writeFileSync(networkFilePaths(folder).resolvConf, text, { mode: 0o644 });
  writeFileSync(digestPath(folder), digestOf(text), { mode: 0o600 });
}

function digestPath(folder: string): string {
  return path.join(folder, 'resolv.conf.digest');
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hostFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}
