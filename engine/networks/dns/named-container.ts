import type { ContainerId, NetworkId } from '../../model/ids.ts';

/** A running container as the name server knows it. Plain data: it goes to a process of its own as JSON. */
export interface NamedContainer {
  readonly containerId: ContainerId;
  /** File of its network namespace; its resolver answers there, on 127.0.0.11. */
  readonly netnsPath: string;
  /** In the order in which its questions go through them. The default bridge has no names and is not listed. */
  readonly endpoints: readonly NamedEndpoint[];
  readonly upstream: Upstream;
  /** The client set `ndots` above 0: names of one word are then meant to get a search domain, and are not passed on. */
  readonly asksForDomains: boolean;
}

/** Its place in one network. */
export interface NamedEndpoint {
  readonly networkId: NetworkId;
  readonly networkName: string;
  /** IPv4 and IPv6. */
  readonly addresses: readonly string[];
  /** What others in this network call it: its name, aliases, short id, hostname. The first is the one that an address is turned back into. */
  readonly names: readonly string[];
  /** Names that this container alone uses, and what they mean in this network. */
  readonly links: Readonly<Record<string, string>>;
}

/** Who is asked for names that no container has. */
export type Upstream =
  /** The servers of the host's resolv.conf of that moment, asked from the host's own network. */
  | { readonly kind: 'host' }
  /** Those that the client named, asked from the container's network. */
  | { readonly kind: 'servers'; readonly servers: readonly string[] }
  /** Nobody: the container has internal networks alone, and a question is a way out (CVE-2024-29018). */
  | { readonly kind: 'none' };
