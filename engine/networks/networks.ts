/**
 * The contract of the networks room: how a container gets its network and how its ports are published.
 *
 * Words. A *network* joins containers (this slice has one of our own, the default bridge). An *endpoint* is a container's
 * place in a network: an address, a MAC, a pair of interfaces. A *plan* is everything that a container will hold of
 * networks, as plain JSON: whoever asked for it stores it before it is made real, so that a crash at any moment leaves
 * nothing that nobody knows of.
 *
 * Life of an engine: `openNetworks` -> `prepare` (the bridge) -> `restore` (what running containers still hold; everything
 * of ours that no plan names goes) -> any number of containers -> dispose. Disposing leaves the containers' networks
 * working: ports answer through the kernel while no engine runs. `removeAll` is the other end: nothing of ours stays.
 *
 * Life of a container's network: `plan` (in memory, with host ports really bound) -> the caller stores the plan ->
 * `realise` -> the container runs -> `release`. Calls for one container are made one after the other; calls for
 * different containers may overlap.
 *
 *     const plan = await networks.plan({ containerId, mode: 'bridge', ports });
 *     store(plan);
 *     networks.realise(plan);                    // plan.netnsPath is now a namespace with eth0 up
 *     …                                          // the container's processes end
 *     await networks.release(plan);
 */
import type { ContainerId, EndpointId, NetworkId } from '../model/ids.ts';

export interface Networks extends AsyncDisposable {
  /**
   * Makes the bridge, or takes over the one that is there, and lets the kernel forward. Idempotent. Returns the bridge
   * with the address that it has now: to be given as `bridgeAddress` at the next start, so that it stays the same.
   * Throws `conflict` when a given address clashes with the host's routes, `internal` when no pool is free.
   */
  prepare(): Promise<Bridge>;

  /**
   * After `prepare`, before the first `plan`: takes over the networks of containers that still run and removes all
   * namespaces, interfaces and rules of ours that no plan names. A plan whose namespace is gone is listed as `lost`; its
   * owner must release it. What could not be had again (a port that another process took meanwhile) is listed as
   * `unboundPorts`: the kernel still forwards it, but IPv6 and other local access to it do not work.
   */
  restore(plans: readonly EndpointPlan[]): Promise<RestoreReport>;

  /**
   * Chooses addresses and host ports and binds the ports. Touches nothing else, and nothing stays when it throws:
   * `internal` with docker's words for a port that is taken ("Bind for 0.0.0.0:80 failed: port is already allocated",
   * "failed to bind host port 0.0.0.0:80/tcp: address already in use"), `not-implemented` for sctp, `conflict` when
   * the container to join does not run.
   */
  plan(request: PlanRequest): Promise<EndpointPlan>;

  /**
   * Makes the plan real. Synchronous: about a millisecond of system calls. The namespace has lo up and, in mode
   * `bridge`, eth0 with address and default route; published ports answer. Throws `internal` with the kernel's words;
   * `release` is still due then.
   */
  realise(plan: EndpointPlan): void;

  /**
   * Undoes `plan` and `realise`, as far as either came; idempotent, and right for plans of an engine that crashed.
   * To be called when the container's processes are gone: their namespace lives as long as they do.
   */
  release(plan: EndpointPlan): Promise<void>;

  /** The bridge of this engine. Throws before `prepare`. */
  readonly bridge: Bridge;

  /** Removes everything that this engine ever made: namespaces, interfaces, bridge, rules. Then only dispose is left. */
  removeAll(): Promise<void>;
}

export interface NetworksOptions {
  /** Folder for what lives as long as the kernel: `<execRoot>/netns/<container id>` pins a namespace. Absolute. */
  readonly execRoot: string;
  /** Name of the bridge; at most 15 bytes. No other engine may have it. */
  readonly bridgeName: string;
  /** Address of the bridge with its prefix, `172.18.0.1/16`; null takes the first of the default pools that clashes with nothing. */
  readonly bridgeAddress: string | null;
  /** Anything that no other engine on this host has and that this one keeps: names the nftables table. */
  readonly engineId: string;
  /** Identity of the default bridge, as `docker network ls` shows it. */
  readonly networkId: NetworkId;
  /** Namespaces kept ready for the next containers. 0 makes each when it is wanted. */
  readonly readyNamespaces?: number;
}

export interface Bridge {
  readonly networkId: NetworkId;
  readonly name: string;
  /** Address with prefix, `172.17.0.1/16`. */
  readonly address: string;
  /** `172.17.0.0/16`. */
  readonly subnet: string;
  /** `172.17.0.1`. */
  readonly gateway: string;
}

/** `bridge`: an endpoint in the default bridge. `none`: lo alone. `host`: the host's own. `container`: another's namespace. */
export type NetworkChoice = 'bridge' | 'none' | 'host' | { readonly container: ContainerId };

export interface PlanRequest {
  readonly containerId: ContainerId;
  readonly mode: NetworkChoice;
  /** Only an endpoint in a bridge can have any; ignored in other modes, as Docker does. */
  readonly ports: readonly PortRequest[];
}

export interface PortRequest {
  /** Of the container. */
  readonly port: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** Null: 0.0.0.0 and [::], with the same port. */
  readonly hostAddress: string | null;
  /** First and last port of the host to choose from; null: any free one. */
  readonly hostPorts: { readonly first: number; readonly last: number } | null;
}

/** Plain data: survives JSON. What `docker inspect` shows under NetworkSettings is read from here. */
export interface EndpointPlan {
  readonly containerId: ContainerId;
  readonly mode: 'bridge' | 'none' | 'host' | 'container';
  /** The file that an OCI spec names as path of its network namespace; null in mode `host`. */
  readonly netnsPath: string | null;
  /** One in mode `bridge`, else none. */
  readonly endpoints: readonly Endpoint[];
  readonly ports: readonly PublishedPort[];
}

export interface Endpoint {
  readonly id: EndpointId;
  readonly networkId: NetworkId;
  /** Docker's name of the network. */
  readonly networkName: string;
  /** Inside the container: `eth0`. */
  readonly interfaceName: string;
  /** The other end, a port of the bridge. */
  readonly hostInterface: string;
  readonly address: string;
  readonly prefixLength: number;
  readonly gateway: string;
  /** `02:…`, random at each plan. */
  readonly macAddress: string;
}

/** One binding: a port that is published on every address is two, one for 0.0.0.0 and one for `::`. */
export interface PublishedPort {
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
  /** IPv4 or IPv6, without brackets. */
  readonly hostAddress: string;
  readonly hostPort: number;
}

export interface RestoreReport {
  /** Containers whose network is no more; `release` their plans. */
  readonly lost: readonly ContainerId[];
  readonly unboundPorts: readonly {
    readonly containerId: ContainerId;
    readonly port: PublishedPort;
    readonly reason: string;
  }[];
  /** Names of namespaces and interfaces that no plan named. */
  readonly removed: readonly string[];
}
