/** Networks on the wire (source: Engine API 1.55, tag Network). */

export interface IpamPool {
  readonly Subnet?: string;
  readonly IPRange?: string;
  readonly Gateway?: string;
  /** Addresses that are in use by others, by name. */
  readonly AuxiliaryAddresses?: Readonly<Record<string, string>>;
}

export interface Ipam {
  readonly Driver?: string;
  readonly Options?: Readonly<Record<string, string>> | null;
  readonly Config?: readonly IpamPool[] | null;
}

export interface CreateNetworkBody {
  readonly Name: string;
  readonly Driver?: string;
  readonly Scope?: string;
  readonly Internal?: boolean;
  readonly Attachable?: boolean;
  readonly Ingress?: boolean;
  readonly ConfigOnly?: boolean;
  readonly ConfigFrom?: { readonly Network: string } | null;
  readonly IPAM?: Ipam | null;
  /** Absent: the driver's own default. */
  readonly EnableIPv4?: boolean;
  readonly EnableIPv6?: boolean;
  readonly Options?: Readonly<Record<string, string>> | null;
  readonly Labels?: Readonly<Record<string, string>> | null;
}

export interface CreateNetworkAnswer {
  readonly Id: string;
  readonly Warning?: string;
}

/** A network as a list tells it. */
export interface NetworkSummary {
  readonly Name: string;
  readonly Id: string;
  /** RFC 3339 with nanoseconds. */
  readonly Created: string;
  readonly Scope: string;
  readonly Driver: string;
  readonly EnableIPv4?: boolean;
  readonly EnableIPv6: boolean;
  readonly IPAM: Ipam;
  readonly Internal: boolean;
  readonly Attachable: boolean;
  readonly Ingress: boolean;
  readonly ConfigFrom?: { readonly Network: string };
  readonly ConfigOnly: boolean;
  readonly Options: Readonly<Record<string, string>> | null;
  readonly Labels: Readonly<Record<string, string>> | null;
}

export interface NetworkContainer {
  readonly Name: string;
  readonly EndpointID: string;
  readonly MacAddress: string;
  /** With its prefix length: `172.17.0.2/16`; empty when there is none. */
  readonly IPv4Address: string;
  readonly IPv6Address: string;
}

export interface NetworkInspect extends NetworkSummary {
  /** By the container's id; only those that run. */
  readonly Containers: Readonly<Record<string, NetworkContainer>>;
}

/** What a container asks for at one network, at create and at connect. */
export interface EndpointRequest {
  readonly IPAMConfig?: {
    readonly IPv4Address?: string;
    readonly IPv6Address?: string;
    readonly LinkLocalIPs?: readonly string[];
  } | null;
  /** `container:alias`. */
  readonly Links?: readonly string[] | null;
  readonly Aliases?: readonly string[] | null;
  readonly MacAddress?: string;
  readonly DriverOpts?: Readonly<Record<string, string>> | null;
  /** The network with the highest one gives the default gateway. */
  readonly GwPriority?: number;
}

export interface ConnectBody {
  readonly Container: string;
  readonly EndpointConfig?: EndpointRequest | null;
}

export interface DisconnectBody {
  readonly Container: string;
  readonly Force?: boolean;
}

export interface NetworksPruned {
  readonly NetworksDeleted: readonly string[] | null;
}
