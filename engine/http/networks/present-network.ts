import type { NetworkContainer, NetworkInspect } from '../../../api/networks.ts';
import type { Container } from '../../containers/container.ts';
import { liveState } from '../../containers/state.ts';
import type { EndpointAddress, Network, ShownPool } from '../../networks/networks.ts';
import { namedEndpointId } from '../containers/inspect/network-settings.ts';

/** A network as list and inspect show it. `containers`: all of the engine; a list tells none of them. */
export function presentNetwork(network: Network, containers: readonly Container[]): NetworkInspect {
  const { ipam, configFrom } = network;
  return {
    Name: network.name,
    Id: network.id,
    Created: network.createdAt,
    Scope: network.scope,
    Driver: network.driver,
    EnableIPv4: network.hasIpv4,
    EnableIPv6: network.hasIpv6,
    IPAM: {
      Driver: ipam.driver,
      Options: ipam.options,
      Config: ipam.shownPools.length === 0 && network.isBuiltIn ? null : ipam.shownPools.map(presentPool),
    },
    Internal: network.isInternal,
    Attachable: network.isAttachable,
    Ingress: false,
    ConfigFrom: { Network: configFrom },
    ConfigOnly: network.isConfigOnly,
    Containers: Object.fromEntries(containers.flatMap((container) => joinedContainer(network, container))),
    Options: network.options,
    Labels: network.labels,
  };
}

function presentPool({ subnet, ipRange, gateway, auxiliary }: ShownPool) {
  return {
    Subnet: subnet,
    ...(ipRange === '' ? {} : { IPRange: ipRange }),
    ...(gateway === '' ? {} : { Gateway: gateway }),
    ...(Object.keys(auxiliary).length === 0 ? {} : { AuxiliaryAddresses: auxiliary }),
  };
}

/** Only those that run: others hold nothing of a network. */
function joinedContainer(network: Network, container: Container): readonly (readonly [string, NetworkContainer])[] {
  const plan = liveState(container.state)?.endpoint;
  if (plan === undefined) return [];
  const bare = { Name: container.name, MacAddress: '', IPv4Address: '', IPv6Address: '' };
  const isNamed = (plan.mode === 'host' || plan.mode === 'none') && plan.mode === network.name && network.isBuiltIn;
  if (isNamed) return [[container.id, { ...bare, EndpointID: namedEndpointId(container.id, network.name) }]];
  return plan.endpoints
    .filter(({ networkId }) => networkId === network.id)
    .map((endpoint) => [
      container.id,
      {
        Name: container.name,
        EndpointID: endpoint.id,
        MacAddress: endpoint.macAddress,
        IPv4Address: withPrefix(endpoint.ipv4),
        IPv6Address: withPrefix(endpoint.ipv6),
      },
    ]);
}

function withPrefix(address: EndpointAddress | null): string {
  return address === null ? '' : `${address.address}/${address.prefixLength}`;
}
