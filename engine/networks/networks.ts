/**
 * The contract of the networks room: which networks there are, how a container joins them, and how its ports are published.
 *
 * Words. A *network* joins containers: the default bridge, `host`, `none`, and those that clients make; each is a row. An
 * *endpoint* is a container's place in one network: addresses, a MAC, an interface. A *plan* is everything that a container
 * will hold of networks, as plain JSON: whoever asked for it stores it before it is made real, so that a crash at any
 * moment leaves nothing that nobody knows of. The *gateway endpoint* of a family is the one that has the default route;
 * published ports lead to it.
 *
 * Life of an engine: `openNetworks` -> `prepare` (bridges of all rows; what was half made or half removed goes) -> `restore`
 * (what running containers still hold; everything of ours that no plan names goes) -> any number of containers -> dispose.
 * Disposing leaves the containers' networks working: ports answer through the kernel while no engine runs. `removeAll` is
 * the other end: nothing of ours stays in the kernel.
 *
 * Life of a container's network: `plan` (in memory, with host ports really bound) -> the caller stores the plan ->
 * `realise` -> the container runs; `planConnect` -> store -> `realiseConnect`, and `disconnect` -> `release`. Calls for
 * one container are made one after the other; calls for different containers may overlap. Where two queues meet:
 * container before network.
 *
 *     const plan = await networks.plan({ containerId, mode: 'network', endpoints: [{ networkId, … }], ports });
 *     store(plan);
 *     networks.realise(plan);                    // plan.netnsPath is now a namespace with eth0 up
 *     …                                          // the container's processes end
 *     await networks.release(plan);
 */
import type { ContainerId, NetworkId } from '../model/ids.ts';
import type { Endpoint, EndpointPlan, EndpointRequest, PlanRequest, PublishedPort } from './plan.ts';

export type {
  Endpoint,
  EndpointAddress,
  EndpointPlan,
  EndpointRequest,
  NetworkChoice,
  PlanRequest,
  PortRequest,
  PublishedPort,
} from './plan.ts';

export interface Networks extends AsyncDisposable {
  /**
   * Makes the bridges of all networks, or takes over those that are there, and lets the kernel forward. Idempotent. Returns
   * the default bridge with the address that it has now: to be given as `bridgeAddress` at the next start, so that it
   * stays the same. Throws `conflict` when a given address clashes with the host's routes, `internal` when no pool is free.
   */
  prepare(): Promise<Bridge>;

  /**
   * After `prepare`, before the first `plan`: takes over the networks of containers that still run and removes all
   * namespaces, interfaces and rules of ours that no plan names. A plan whose namespace is gone is listed as `lost`; its
   * owner must release it. What could not be had again (a port that another process took meanwhile) is listed as
   * `unboundPorts`: the kernel still forwards it, but IPv6 and other local access to it do not work.
   */
  restore(plans: readonly EndpointPlan[]): Promise<RestoreReport>;

  /** Writes the firewall where `restore` has left that for later (`isFirewallLate`). Throws NftError. */
  settle(): void;

  /** Every network, the built-in ones first, then in the order in which they were made. */
  all(): readonly Network[];

  /** By full id, then exact name, then an unambiguous beginning of an id. Throws docker's errors (`not-found`, `invalid`). */
  find(text: string): Network;

  /** Null when there is none of that id any more. */
  byId(id: NetworkId): Network | null;

  /**
   * Makes a network: its row, then its bridge and rules. Throws docker's errors: `conflict` for a name that is taken,
   * `forbidden` for pools that overlap and names that are docker's own, `invalid` for what is wrong with pools and options,
   * `not-found` for an unknown driver. Nothing is left when it throws.
   */
  create(request: NetworkRequest): Promise<Network>;

  /** Throws `forbidden` for built-in networks and for those with containers that run. */
  remove(network: Network): Promise<void>;

  /** Plans of all containers that hold one, in this process: who is in which network, and under what names. */
  plans(): Iterable<EndpointPlan>;

  /**
   * Chooses addresses and host ports and binds the ports. Touches nothing else, and nothing stays when it throws:
   * `internal` with docker's words for a port that is taken ("Bind for 0.0.0.0:80 failed: port is already allocated",
   * "failed to bind host port for 0.0.0.0:80:172.17.0.2:80/tcp: address already in use"), `invalid` for an address that no pool of the network
   * has, `forbidden` for one that is taken, `conflict` when the container to join does not run.
   */
  plan(request: PlanRequest): Promise<EndpointPlan>;

  /**
   * Makes the plan real. Synchronous: about a millisecond of system calls. The namespace has lo up and an interface for
   * each endpoint, default routes by the gateway endpoints; published ports answer. Throws `internal` with the kernel's
   * words; `release` is still due then.
   */
  realise(plan: EndpointPlan): void;

  /**
   * One endpoint more for a container that runs: the plan as it will be. Throws as `plan`, and `forbidden` when it is in that network
   * already. In memory alone until `realiseConnect`; `disconnect` takes it back.
   */
  planConnect(plan: EndpointPlan, request: EndpointRequest): Promise<EndpointPlan>;

  /** Makes the last endpoint of the plan real, in the namespace of a running container. When it throws, `disconnect` is due. */
  realiseConnect(plan: EndpointPlan): void;

  /**
   * Takes one endpoint out of a container's namespace: after a failed connect, for a disconnect, and at boot for one that
   * was under way. The plan that is left becomes the held one and is returned: gateways and published ports move to another
   * endpoint. Idempotent: an interface that is gone already is no error.
   */
  disconnect(plan: EndpointPlan, endpoint: Endpoint): Promise<EndpointPlan>;

  /** Holds this plan in place of the one that differs from it in names alone (after a rename). */
  rename(plan: EndpointPlan): void;

  /**
   * Undoes `plan` and `realise`, as far as either came; idempotent, and right for plans of an engine that crashed.
   * To be called when the container's processes are gone: their namespace lives as long as they do.
   */
  release(plan: EndpointPlan): Promise<void>;

  /** The default bridge of this engine. Throws before `prepare`. */
  readonly bridge: Bridge;

  /** Removes from the kernel everything that this engine ever made: namespaces, interfaces, bridges, rules. Rows stay. Then only dispose is left. */
  removeAll(): Promise<void>;
}

/** What a network is; shown back by list and inspect. Never changes after `create`. */
export interface Network {
  readonly id: NetworkId;
  readonly name: string;
  readonly driver: NetworkDriver;
  /** RFC 3339. */
  readonly createdAt: string;
  /** As the client gave it; docker shows `global` back and calls everything else `local`. */
  readonly scope: 'local' | 'global';
  readonly hasIpv4: boolean;
  readonly hasIpv6: boolean;
  /** Nothing beyond the network can be reached from it, and it from nowhere. */
  readonly isInternal: boolean;
  readonly isAttachable: boolean;
  /** It is a template for others (`ConfigOnly`) and no container can join it. */
  readonly isConfigOnly: boolean;
  /** Name of the template that it was made from; empty: none. */
  readonly configFrom: string;
  readonly ipam: {
    readonly driver: string;
    /** Null when the client gave none. */
    readonly options: Readonly<Record<string, string>> | null;
    /** As they are shown: what the client gave, else what was chosen. */
    readonly shownPools: readonly ShownPool[];
  };
  /** What addresses are really taken from, IPv4 first. Empty for `host`, `none` and templates. */
  readonly pools: readonly Pool[];
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** The interface of the host that it is: `br-<12 digits>`, the name that the client gave, or a parent of macvlan and ipvlan; empty: none. */
  readonly hostInterface: string;
  /** Made by us for this network, to be removed with it. */
  readonly isInterfaceOurs: boolean;
  /** The default bridge, `host` and `none`: cannot be removed, have no names in DNS. */
  readonly isBuiltIn: boolean;
}

export type NetworkDriver = 'bridge' | 'macvlan' | 'ipvlan' | 'host' | 'null';

/** Texts as on the wire; absent: empty. */
export interface ShownPool {
  readonly subnet: string;
  readonly ipRange: string;
  readonly gateway: string;
  readonly auxiliary: Readonly<Record<string, string>>;
}

export interface Pool {
  readonly family: 4 | 6;
  /** `172.18.0.0/16`. */
  readonly subnet: string;
  /** Addresses are chosen from here: the subnet, or the part of it that the client named. */
  readonly range: string;
  /** Of the host in the network, or of a router that is already there (macvlan); null: nobody (internal ipvlan and macvlan). */
  readonly gateway: string | null;
  /** Addresses that are in use by others. */
  readonly excluded: readonly string[];
  /** A client named the subnet: only then may clients name addresses. */
  readonly isGiven: boolean;
}

/** What a client asks for; texts as on the wire, empty: not given. */
export interface NetworkRequest {
  readonly name: string;
  readonly driver: string;
  readonly scope: string;
  readonly isInternal: boolean;
  readonly isAttachable: boolean;
  readonly isIngress: boolean;
  readonly isConfigOnly: boolean;
  readonly configFrom: string;
  /** Null: the default, which is IPv4 alone. */
  readonly hasIpv4: boolean | null;
  readonly hasIpv6: boolean | null;
  readonly ipamDriver: string;
  readonly ipamOptions: Readonly<Record<string, string>> | null;
  readonly pools: readonly ShownPool[];
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

export interface NetworksOptions {
  /** Folder for what lives as long as the kernel: `<execRoot>/netns/<container id>` pins a namespace. Absolute. */
  readonly execRoot: string;
  /** Name of the default bridge; at most 15 bytes. No other engine may have it. */
  readonly bridgeName: string;
  /** Address of the default bridge with its prefix, `172.18.0.1/16`; null takes the first of the default pools that clashes with nothing. */
  readonly bridgeAddress: string | null;
  /** Anything that no other engine on this host has and that this one keeps: names the nftables table, and the IPv6 pools. */
  readonly engineId: string;
  /** Identity of the default bridge, as `docker network ls` shows it. */
  readonly networkId: NetworkId;
  /** Networks that clients made. */
  readonly rows: NetworkRows;
  /** For a network's time of creation, RFC 3339. */
  readonly now: () => string;
  /** When the built-in networks were made: the engine's first start. */
  readonly builtInSince: string;
  /** Namespaces kept ready for the next containers. 0 makes each when it is wanted. */
  readonly readyNamespaces?: number;
  /**
   * Where no container runs, `restore` leaves the firewall to `settle`, or to whatever comes first of what needs it. The library, the
   * kernel's modules and the first transaction take an emulated machine two tenths of a second.
   */
  readonly isFirewallLate?: boolean;
}

/** Where networks are kept; `stored-networks.ts` keeps them in the database. */
export interface NetworkRows {
  all(): readonly { readonly network: Network; readonly state: NetworkRowState }[];
  insert(network: Network): void;
  settle(network: Network, state: NetworkRowState): void;
  delete(id: NetworkId): void;
}

/** `making` and `removing`: a step was under way; boot ends what it finds so. */
export type NetworkRowState = 'making' | 'ready' | 'removing';

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
