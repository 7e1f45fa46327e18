/** `NetworkSettings`: what a container holds of networks now, and what it will ask for. */
import { createHash } from 'node:crypto';
import type { ContainerInspect, EndpointSettings, PortMap } from '../../../../api/containers.ts';
import type { Container } from '../../../containers/container.ts';
import { dnsNames } from '../../../containers/network/endpoints.ts';
import type { ContainerSpec, EndpointSpec } from '../../../containers/spec/spec.ts';
import { lastExit, liveState } from '../../../containers/state.ts';
import type { ContainerId } from '../../../model/ids.ts';
import { namedNetworkId } from '../../../networks/network-set.ts';
import type { Endpoint, EndpointPlan } from '../../../networks/networks.ts';
import { portKey } from '../ports.ts';

type Settings = ContainerInspect['NetworkSettings'];

export function presentNetworkSettings(container: Container): Settings {
  const plan = liveState(container.state)?.endpoint ?? null;
  const hasOwn = plan !== null && plan.mode !== 'container';
  return {
    ...legacySettings(plan),
    SandboxID: hasOwn ? createHash('sha256').update(`sandbox of ${container.id}`).digest('hex') : '',
    SandboxKey: hasOwn ? (plan.netnsPath ?? '') : '',
    Ports: publishedNow(container.spec, plan),
    Networks: presentNetworks(container),
  };
}

/** By network name. A container that does not run keeps its networks, without addresses. */
export function presentNetworks(container: Container): Readonly<Record<string, EndpointSettings>> {
  const { spec, state } = container;
  const { mode, endpoints, isDisabled } = spec.network;
  const plan = liveState(state)?.endpoint ?? null;
  if (isDisabled || typeof mode === 'object') return {};
  if (mode !== 'network') {
    const hasRun = plan !== null || lastExit(state) !== null;
    const NetworkID = hasRun ? namedNetworkId(mode) : '';
    const EndpointID = plan === null ? '' : namedEndpointId(container.id, mode);
    return { [mode]: { ...noEndpoint, NetworkID, EndpointID } };
  }
  if (plan === null)
    return Object.fromEntries(endpoints.map((endpoint) => [endpoint.network, absent(container, endpoint)]));
  return Object.fromEntries(
    plan.endpoints.map((endpoint) => {
      const asked = endpoints.find(
        (one) => one.networkId === endpoint.networkId || one.network === endpoint.networkName,
      );
      return [endpoint.networkName, present(endpoint, asked)];
    }),
  );
}

/** An endpoint in `host` or `none` is nothing but a name that clients may want to see. */
export function namedEndpointId(containerId: ContainerId, network: string): string {
  return createHash('sha256').update(`${network} of ${containerId}`).digest('hex');
}

const noEndpoint: EndpointSettings = {
  IPAMConfig: null,
  Links: null,
  Aliases: null,
  MacAddress: '',
  DriverOpts: null,
  GwPriority: 0,
  NetworkID: '',
  EndpointID: '',
  Gateway: '',
  IPAddress: '',
  IPPrefixLen: 0,
  IPv6Gateway: '',
  GlobalIPv6Address: '',
  GlobalIPv6PrefixLen: 0,
  DNSNames: null,
};

function absent(container: Container, endpoint: EndpointSpec): EndpointSettings {
  return {
    ...asAsked(endpoint),
    MacAddress: endpoint.macAddress ?? '',
    NetworkID: endpoint.networkId ?? '',
    // In the default bridge nobody is found by a name.
    DNSNames:
      endpoint.networkId === null || endpoint.network === 'bridge' ? null : dnsNames(container, endpoint.aliases),
  };
}

function present(endpoint: Endpoint, asked: EndpointSpec | undefined): EndpointSettings {
  const { ipv4, ipv6, dnsNames: names } = endpoint;
  return {
    ...(asked === undefined ? noEndpoint : asAsked(asked)),
    MacAddress: endpoint.macAddress,
    NetworkID: endpoint.networkId,
    EndpointID: endpoint.id,
    Gateway: shownGateway(ipv4),
    IPAddress: ipv4?.address ?? '',
    IPPrefixLen: ipv4?.prefixLength ?? 0,
    IPv6Gateway: shownGateway(ipv6),
    GlobalIPv6Address: ipv6?.address ?? '',
    GlobalIPv6PrefixLen: ipv6?.prefixLength ?? 0,
    DNSNames: names.length === 0 ? null : names,
  };
}

function asAsked(endpoint: EndpointSpec): EndpointSettings {
  const { ipv4Address, ipv6Address, linkLocalAddresses } = endpoint;
  const ipam = {
    ...(ipv4Address === null ? {} : { IPv4Address: ipv4Address }),
    ...(ipv6Address === null ? {} : { IPv6Address: ipv6Address }),
    ...(linkLocalAddresses.length === 0 ? {} : { LinkLocalIPs: linkLocalAddresses }),
  };
  return {
    ...noEndpoint,
    IPAMConfig: Object.keys(ipam).length === 0 ? null : ipam,
    Links: orNull(endpoint.links),
    Aliases: orNull(endpoint.aliases),
    DriverOpts: Object.keys(endpoint.driverOptions).length === 0 ? null : endpoint.driverOptions,
    GwPriority: endpoint.gatewayPriority,
  };
}

/** Where everything is on the interface itself, docker shows none. */
function shownGateway(address: Endpoint['ipv4']): string {
  const gateway = address?.gateway ?? '';
  return gateway === '0.0.0.0' || gateway === '::' ? '' : gateway;
}

/** What is really published now; exposed ports that are not are null. */
function publishedNow(spec: ContainerSpec, plan: EndpointPlan | null): PortMap {
  if (plan === null || plan.mode !== 'network') return {};
  const map: Record<string, { HostIp: string; HostPort: string }[] | null> = {};
  for (const port of spec.network.exposed) map[portKey(port)] = null;
  for (const port of plan.ports)
    (map[portKey(port)] ??= []).push({ HostIp: port.hostAddress, HostPort: String(port.hostPort) });
  return map;
}

/** Of the default bridge alone, at the top, for clients below 1.52. */
function legacySettings(plan: EndpointPlan | null): Partial<Settings> {
  const endpoint = plan?.endpoints.find(({ networkName }) => networkName === 'bridge');
  return {
    Bridge: '',
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: endpoint?.id ?? '',
    Gateway: endpoint?.ipv4?.gateway ?? '',
    GlobalIPv6Address: endpoint?.ipv6?.address ?? '',
    GlobalIPv6PrefixLen: endpoint?.ipv6?.prefixLength ?? 0,
    IPAddress: endpoint?.ipv4?.address ?? '',
    IPPrefixLen: endpoint?.ipv4?.prefixLength ?? 0,
    IPv6Gateway: endpoint?.ipv6?.gateway ?? '',
    MacAddress: endpoint?.macAddress ?? '',
  };
}

function orNull<T>(list: readonly T[]): readonly T[] | null {
  return list.length > 0 ? list : null;
}
