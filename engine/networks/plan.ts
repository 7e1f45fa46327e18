/** What a container holds of networks: what is asked for, and the plan that answers it. Plain data that survives JSON. */
import type { ContainerId, EndpointId, NetworkId } from '../model/ids.ts';
import type { NetworkDriver } from './networks.ts';

/** `network`: an endpoint in each of the named networks. `none`: lo alone. `host`: the host's own. `container`: another's namespace. */
export type NetworkChoice = 'network' | 'none' | 'host' | { readonly container: ContainerId };

export interface PlanRequest {
  readonly containerId: ContainerId;
  /** For errors. */
  readonly containerName: string;
  readonly mode: NetworkChoice;
  /** In mode `network` only, at least one; in the order in which they become eth0, eth1, … */
  readonly endpoints: readonly EndpointRequest[];
  /** Only an endpoint in a bridge can have any; ignored in other modes, as Docker does. */
  readonly ports: readonly PortRequest[];
}

export interface EndpointRequest {
  readonly networkId: NetworkId;
  /** Null: the network's to choose. */
  readonly ipv4Address: string | null;
  readonly ipv6Address: string | null;
  readonly linkLocalAddresses: readonly string[];
  /** Null: random, and another one at the next start. */
  readonly macAddress: string | null;
  /** `--alias`, shown back. */
  readonly aliases: readonly string[];
  /** Under which other containers of the network find it; empty in built-in networks. */
  readonly dnsNames: readonly string[];
  /** `container:alias`, names that only this container sees. */
  readonly links: readonly string[];
  readonly driverOptions: Readonly<Record<string, string>>;
  /** The highest has the default route. */
  readonly gatewayPriority: number;
}

export interface PortRequest {
  /** Of the container. */
  readonly port: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** Null: 0.0.0.0 and [::], with the same port, unless the network's options name another. */
  readonly hostAddress: string | null;
  /** First and last port of the host to choose from; null: any free one. */
  readonly hostPorts: { readonly first: number; readonly last: number } | null;
}

/** What `docker inspect` shows under NetworkSettings is read from here. `stored-plan.ts` reads those of older engines. */
export interface EndpointPlan {
  readonly containerId: ContainerId;
  readonly mode: 'network' | 'none' | 'host' | 'container';
  /** The file that an OCI spec names as path of its network namespace; null in mode `host`. */
  readonly netnsPath: string | null;
  /** In mode `network`, else none; also empty when the last network was disconnected. */
  readonly endpoints: readonly Endpoint[];
  /** Those with the default routes; null: there is none of that family. */
  readonly gateways: { readonly ipv4: EndpointId | null; readonly ipv6: EndpointId | null };
  /** What was asked for: a container may get its first gateway while it runs. */
  readonly wantedPorts: readonly PortRequest[];
  readonly ports: readonly PublishedPort[];
}

export interface Endpoint {
  readonly id: EndpointId;
  readonly networkId: NetworkId;
  /** Docker's name of the network. */
  readonly networkName: string;
  readonly driver: NetworkDriver;
  /** Inside the container: `eth0`. */
  readonly interfaceName: string;
  /** The other end, a port of the bridge; null where there is none (macvlan, ipvlan). */
  readonly hostInterface: string | null;
  /** Null where the network has none of that family. */
  readonly ipv4: EndpointAddress | null;
  readonly ipv6: EndpointAddress | null;
  readonly linkLocalAddresses: readonly string[];
  /** `02:…`, random at each plan unless configured; empty for ipvlan, which has its parent's. */
  readonly macAddress: string;
  readonly aliases: readonly string[];
  readonly dnsNames: readonly string[];
  readonly links: readonly string[];
  readonly driverOptions: Readonly<Record<string, string>>;
  readonly gatewayPriority: number;
}

export interface EndpointAddress {
  readonly address: string;
  readonly prefixLength: number;
  /** Null in internal networks: no way leads out. `0.0.0.0` and `::`: everything is reached on the interface itself (ipvlan l3). */
  readonly gateway: string | null;
}

/** One binding: a port that is published on every address is two, one for 0.0.0.0 and one for `::`. */
export interface PublishedPort {
  readonly port: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** IPv4 or IPv6, without brackets. */
  readonly hostAddress: string;
  readonly hostPort: number;
}

/** The endpoint to which the kernel forwards published ports of a family; null: there is none. */
export function gatewayEndpoint(plan: EndpointPlan, family: 4 | 6): Endpoint | null {
  const id = family === 4 ? plan.gateways.ipv4 : plan.gateways.ipv6;
  return plan.endpoints.find((endpoint) => endpoint.id === id) ?? null;
}
