/** What a container is called by others, and where its own questions go: from its row and its plan to the name server. */
import type { NamedContainer, NamedEndpoint, Upstream } from '../../networks/dns/named-container.ts';
import type { Endpoint, EndpointPlan } from '../../networks/networks.ts';
import type { Container } from '../container.ts';
import type { Directory } from '../directory.ts';
import { hostsThatName, linkedHosts } from '../network/linked-containers.ts';
import {
  type NetworkFiles,
  changeLinkedHost,
  changeNetworkFiles,
  hasResolver,
  networkFilePaths,
  wantsDomains,
  writeNetworkFiles,
} from '../network/network-files.ts';
import type { Parts } from '../parts.ts';
import type { ContainerSpec } from '../spec/spec.ts';

type NamingParts = Pick<Parts, 'names' | 'roots'>;

/**
 * The files of /etc that say who is who, and the container's place with the name server: once its network is real, and before its
 * program runs, which waits for `named`. A container that shares another's network shares its files. Throws `conflict` when a link leads to one that does not run.
 */
export function giveNames(
  parts: NamingParts & Pick<Parts, 'directory' | 'networks'>,
  container: Container,
  plan: EndpointPlan,
): { readonly files: NetworkFiles; readonly named: Promise<void> } {
  const { directory, networks, roots } = parts;
  const owner = networkOwner(directory, container);
  const { folder } = roots.get(owner.id);
  if (owner !== container) return { files: networkFilePaths(folder), named: Promise.resolve() };
  const linked = linkedHosts(directory, container);
  const hostGateway = networks.bridge.gateway;
  const files = writeNetworkFiles(folder, { spec: container.spec, plan, hostGateway, linked });
  for (const { parent, host } of hostsThatName(directory, container, plan))
    changeLinkedHost(roots.get(parent.id).folder, host);
  const named = publishNames(parts, container, plan);
  // Whoever awaits it hears of a failure; a start that fails before that has one of its own.
  named.catch(() => undefined);
  return { files, named };
}

/** The name of a host goes with its network: a container has that of the one whose network it shares. */
export function withSharedHostname(directory: Pick<Directory, 'find'>, spec: ContainerSpec): ContainerSpec {
  const { mode } = spec.network;
  if (typeof mode !== 'object') return spec;
  const { hostname, domainname } = directory.find(mode.container).spec;
  if (hostname === spec.hostname && domainname === spec.domainname) return spec;
  return { ...spec, hostname, domainname };
}

/** Whose network it is: its own, or that of the container whose network it shares, and so on. */
function networkOwner(directory: Pick<Directory, 'find'>, container: Container): Container {
  const { mode } = container.spec.network;
  return typeof mode === 'object' ? networkOwner(directory, directory.find(mode.container)) : container;
}

async function publishNames({ names, roots }: NamingParts, container: Container, plan: EndpointPlan): Promise<void> {
  if (hasResolver(roots.get(container.id).folder, plan)) await names.put(namedContainer(container.spec, plan));
}

/**
 * The networks of a running container, or its names in them, are others now: its files and the name server follow. To be
 * called when the network is as in `after`.
 */
export async function followNetworks(
  parts: NamingParts,
  container: Container,
  change: { readonly before: EndpointPlan; readonly after: EndpointPlan },
): Promise<void> {
  const { folder } = parts.roots.get(container.id);
  changeNetworkFiles(folder, { spec: container.spec, ...change });
  await publishNames(parts, container, change.after);
}

/** What the name server must know at boot. Containers of the default bridge have no names. */
export function namedContainers(
  { roots }: Pick<Parts, 'roots'>,
  living: readonly { readonly container: Container; readonly plan: EndpointPlan }[],
): readonly NamedContainer[] {
  return living
    .filter(({ container, plan }) => hasResolver(roots.get(container.id).folder, plan))
    .map(({ container, plan }) => namedContainer(container.spec, plan));
}

function namedContainer(spec: ContainerSpec, plan: EndpointPlan): NamedContainer {
  return {
    containerId: plan.containerId,
    netnsPath: plan.netnsPath ?? '',
    endpoints: plan.endpoints
      .filter(({ networkName }) => networkName !== 'bridge')
      .toSorted((one, other) => rank(plan, other) - rank(plan, one))
      .map(namedEndpoint),
    upstream: upstreamOf(spec, plan),
    asksForDomains: wantsDomains(spec),
  };
}

/** Names mean first what they mean in the network that leads out. */
function rank({ gateways }: EndpointPlan, { id, gatewayPriority }: Endpoint): number {
  const isGateway = id === gateways.ipv4 || id === gateways.ipv6;
  return gatewayPriority + (isGateway ? 0.5 : 0);
}

function namedEndpoint({ networkId, networkName, ipv4, ipv6, dnsNames, links }: Endpoint): NamedEndpoint {
  return {
    networkId,
    networkName,
    addresses: [ipv4, ipv6].flatMap((one) => (one === null ? [] : [one.address])),
    names: dnsNames,
    links: Object.fromEntries(links.map(splitLink)),
  };
}

/** `container:alias`, or a name that is both. */
function splitLink(link: string): readonly [alias: string, target: string] {
  const [target = '', alias = target] = link.split(':', 2);
  return [alias, target];
}

/** What the client named is asked from inside, also where no way leads out: it may be another container. */
function upstreamOf({ network }: ContainerSpec, { gateways }: EndpointPlan): Upstream {
  if (network.dns.length > 0) return { kind: 'servers', servers: network.dns };
  return gateways.ipv4 === null && gateways.ipv6 === null ? { kind: 'none' } : { kind: 'host' };
}
