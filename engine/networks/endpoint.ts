import type { Netlink } from '../kernel/netlink.ts';
import { addAddress, addDefaultRoute, setNeighbour } from '../kernel/rtnetlink-addresses.ts';
import { createVethPair, getLink, parseLink, setHairpin, setLinkUp } from '../kernel/rtnetlink.ts';
import { internal } from '../model/errors.ts';
import type { Endpoint } from './networks.ts';
import type { ReadyNamespace } from './ready-namespaces.ts';

/** Joins a namespace to a bridge: a pair of interfaces, address and default route. Six round trips to the kernel. */
export function connectEndpoint(parts: {
  readonly host: Netlink;
  readonly inside: ReadyNamespace;
  readonly bridgeIndex: number;
  readonly bridgeName: string;
  readonly endpoint: Endpoint;
}): void {
  const { host, inside, bridgeIndex, bridgeName, endpoint } = parts;
  const { hostInterface, interfaceName, macAddress, address, prefixLength, gateway } = endpoint;
  host.change([
    createVethPair({
      name: hostInterface,
      masterIndex: bridgeIndex,
      peer: { name: interfaceName, macAddress, netnsFd: inside.namespace.fd },
    }),
    setHairpin(hostInterface),
    // Whoever had this address before had another MAC, and the host may still remember that.
    setNeighbour({ index: bridgeIndex, address, macAddress }),
  ]);
  const [link] = inside.netlink.read(getLink(interfaceName)).map(parseLink);
  if (link === undefined) throw internal(`the interface ${interfaceName} of container address ${address} is gone`);
  inside.netlink.change([
    addAddress({ index: link.index, address, prefixLength }),
    setLinkUp(link),
    addDefaultRoute({ gateway }),
  ]);
  // Carrier is noticed by a kernel worker (for a bridge that had no port, up to a second later), and packets before that
  // are lost. Asking for a link makes recent kernels (6.13) do that work first; the port comes before its bridge.
  inside.netlink.read(getLink(interfaceName));
  host.read(getLink(hostInterface));
  host.read(getLink(bridgeName));
}
