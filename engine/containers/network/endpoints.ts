/** From what a container asks for to what the networks room is asked: names become networks, and names become findable. */
import { conflict, EngineError, internal, invalid } from '../../model/errors.ts';
import type { ContainerId } from '../../model/ids.ts';
import { endpointMistakes } from '../../networks/check-endpoint.ts';
import { joined } from '../../networks/check-pools.ts';
import type { EndpointPlan, EndpointRequest, Network, Networks, PlanRequest } from '../../networks/networks.ts';
import type { Container } from '../container.ts';
import type { Directory } from '../directory.ts';
import type { Parts } from '../parts.ts';
import type { ContainerSpec, EndpointSpec } from '../spec/spec.ts';
import { liveState } from '../state.ts';

/** What of a container its names in DNS are made of. */
type Named = Pick<Container, 'id' | 'name'> & { readonly spec: Pick<ContainerSpec, 'hostname'> };

/** Throws docker's errors: `not-found` for a network that is not there, `conflict` when the container to join does not run. */
export function planRequest(
  { networks, directory }: Pick<Parts, 'networks' | 'directory'>,
  container: Container,
  ports: PlanRequest['ports'],
): PlanRequest {
  const { id, spec } = container;
  const { mode, isDisabled, shownMode } = spec.network;
  const bare = { containerId: id, containerName: container.name, endpoints: [], ports: [] };
  if (typeof mode === 'object') return { ...bare, mode: { container: joinedContainer(directory, mode.container) } };
  if (isDisabled || mode === 'none') return { ...bare, mode: 'none' };
  if (mode === 'host') return { ...bare, mode };
  // Disconnected from the last one: it begins again in the one that it was made for.
  const wanted = spec.network.endpoints.length > 0 ? spec.network.endpoints : [endpointOf(shownMode)];
  const endpoints = wanted.map((endpoint) =>
    endpointRequest(container, { network: findNetwork(networks, endpoint), endpoint }),
  );
  return { ...bare, mode, endpoints, ports };
}

/** Plans the network of a container that is to start; or makes it real. What goes wrong is said as docker says it. */
export async function settingUpNetwork<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const kind = error instanceof EngineError ? error.kind : 'internal';
    throw new EngineError(kind, `failed to set up container networking: ${error.message}`, { cause: error });
  }
}

/** An endpoint of which nothing is asked for but its network. */
export function endpointOf(network: string): EndpointSpec {
  return {
    network: network === 'default' ? 'bridge' : network,
    networkId: null,
    aliases: [],
    links: [],
    ipv4Address: null,
    ipv6Address: null,
    linkLocalAddresses: [],
    macAddress: null,
    driverOptions: {},
    gatewayPriority: 0,
  };
}

/** At create: what is wrong with the endpoints, as far as their networks are there already. Throws `invalid`. */
export function checkEndpoints(networks: Networks, endpoints: readonly EndpointSpec[]): void {
  for (const endpoint of endpoints) {
    const mistakes = endpointMistakes(networkIfThere(networks, endpoint.network), endpoint);
    if (mistakes.length > 0)
      throw invalid(`invalid config for network ${endpoint.network}: invalid endpoint settings:\n${joined(mistakes)}`);
  }
}

function networkIfThere(networks: Networks, name: string): Network | null {
  try {
    return networks.find(name);
  } catch (error) {
    if (error instanceof EngineError) return null; // a start will say so
    throw error;
  }
}

function joinedContainer(directory: Directory, reference: string): ContainerId {
  let other: Container;
  try {
    other = directory.find(reference);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw internal(`joining network namespace of container: ${error.message}`, { cause: error });
  }
  const { status } = other.state;
  if (status === 'restarting')
    throw conflict(`cannot join network namespace of a non running container: container ${other.name} is restarting`);
  if (liveState(other.state) === null)
    throw conflict(`cannot join network namespace of a non running container: container ${other.name} is ${status}`);
  return other.id;
}

export function endpointRequest(
  container: Named,
  { network, endpoint }: { readonly network: Network; readonly endpoint: EndpointSpec },
): EndpointRequest {
  const { ipv4Address, ipv6Address, linkLocalAddresses, macAddress, aliases, links } = endpoint;
  return {
    networkId: network.id,
    ipv4Address,
    ipv6Address,
    linkLocalAddresses,
    macAddress,
    aliases,
    dnsNames: network.isBuiltIn ? [] : dnsNames(container, aliases),
    links,
    driverOptions: endpoint.driverOptions,
    gatewayPriority: endpoint.gatewayPriority,
  };
}

/** By which others in a network find a container: its name, its aliases, the beginning of its id, its host name. */
export function dnsNames(container: Named, aliases: readonly string[]): readonly string[] {
  const { id, name, spec } = container;
  return [...new Set([name, ...aliases, id.slice(0, 12), spec.hostname])];
}

/** The plan of a container that has got another name. */
export function withDnsNames(container: Named, plan: EndpointPlan): EndpointPlan {
  const endpoints = plan.endpoints.map((endpoint) =>
    endpoint.dnsNames.length === 0 ? endpoint : { ...endpoint, dnsNames: dnsNames(container, endpoint.aliases) },
  );
  return { ...plan, endpoints };
}

/** The spec with the ids of the networks that its names stood for: after the first start they are what is meant. */
export function withNetworkIds(spec: ContainerSpec, plan: EndpointPlan): ContainerSpec {
  const before = spec.network.endpoints;
  const endpoints = plan.endpoints.map((planned, at): EndpointSpec => {
    const endpoint = before[at] ?? endpointOf(planned.networkName);
    return { ...endpoint, network: planned.networkName, networkId: planned.networkId };
  });
  const isSame =
    endpoints.length === before.length && endpoints.every(({ networkId }, at) => networkId === before[at]?.networkId);
  return isSame || plan.mode !== 'network' ? spec : { ...spec, network: { ...spec.network, endpoints } };
}

function findNetwork(networks: Networks, { network, networkId }: EndpointSpec): Network {
  try {
    const found = networks.find(networkId ?? network);
    if (!found.isConfigOnly) return found;
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new EngineError(error.kind, `failed to set up container networking: ${error.message}`, { cause: error });
  }
  throw new EngineError('not-found', `failed to set up container networking: network ${network} not found`);
}
