/** From what a container asks for to what the networks room is asked: names become networks, and names become findable. */
import { EngineError } from '../model/errors.ts';
import type { EndpointPlan, EndpointRequest, Network, Networks, PlanRequest } from '../networks/networks.ts';
import type { Container } from './container.ts';
import type { ContainerSpec, EndpointSpec } from './spec.ts';

/** What of a container its names in DNS are made of. */
type Named = Pick<Container, 'id' | 'name'> & { readonly spec: Pick<ContainerSpec, 'hostname'> };

/** Throws `not-found` for a network that is not there, in docker's words. */
export function planRequest(networks: Networks, container: Container, ports: PlanRequest['ports']): PlanRequest {
  const { id, spec } = container;
  const { mode, endpoints } = spec.network;
  const requests = endpoints.map((endpoint) =>
    endpointRequest(container, { network: findNetwork(networks, endpoint), endpoint }),
  );
  return { containerId: id, mode, endpoints: mode === 'network' ? requests : [], ports };
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

/** The spec with the ids of the networks that its names stood for: after the first start they are what is meant. */
export function withNetworkIds(spec: ContainerSpec, plan: EndpointPlan): ContainerSpec {
  const endpoints = spec.network.endpoints.map((endpoint, at): EndpointSpec => {
    const planned = plan.endpoints[at];
    if (planned === undefined || planned.networkName === 'bridge') return endpoint;
    return { ...endpoint, network: planned.networkName, networkId: planned.networkId };
  });
  const isSame = endpoints.every((endpoint, at) => endpoint.networkId === spec.network.endpoints[at]?.networkId);
  return isSame ? spec : { ...spec, network: { ...spec.network, endpoints } };
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
