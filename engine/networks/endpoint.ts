/** An endpoint in the kernel: an interface in a container's namespace, its addresses and routes. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { SystemCallError } from '../kernel/libc.ts';
import type { Netlink } from '../kernel/netlink.ts';
import type { NetworkNamespace } from '../kernel/netns.ts';
import { addAddress, deleteDefaultRoute, setDefaultRoute, setNeighbour } from '../kernel/rtnetlink-addresses.ts';
import {
  createChild,
  createVethPair,
  deleteLink,
  getLink,
  parseLink,
  renameLink,
  setLinkUp,
  setPortOptions,
} from '../kernel/rtnetlink.ts';
import { internal } from '../model/errors.ts';
import { findLink } from './bridge.ts';
import { deleteSlowly, sayWhatIsMissing } from './host-interface.ts';
import { endpointSysctls, readBridgeOptions, readParentOptions } from './driver-options.ts';
import type { LiveNetwork } from './network-set.ts';
import type { Endpoint, EndpointPlan } from './plan.ts';
import { familyOf } from './subnet.ts';

/** A namespace, entered when a file of it is to be written, and a line to the kernel in it. */
export interface Inside {
  readonly namespace: Pick<NetworkNamespace, 'fd' | 'enter'>;
  readonly netlink: Netlink;
}

/** Joins a namespace to a network. For a bridge with IPv4 alone: six round trips to the kernel. Returns the interface's index inside. */
export function attachEndpoint(parts: {
  readonly host: Netlink;
  readonly inside: Inside;
  readonly live: LiveNetwork;
  readonly endpoint: Endpoint;
}): number {
  const { host, inside, live, endpoint } = parts;
  const { interfaceName, ipv4, ipv6 } = endpoint;
  makeInterface(parts);
  const [link] = inside.netlink.read(getLink(interfaceName)).map(parseLink);
  if (link === undefined) throw internal(`the interface ${interfaceName} of endpoint ${endpoint.id} is gone`);
  const linkLocal = endpoint.linkLocalAddresses;
  const sysctls = endpointSysctls(endpoint.driverOptions, interfaceName);
  const hasIpv6 = ipv6 !== null || linkLocal.some((address) => familyOf(address) === 6);
  if (hasIpv6 || sysctls.length > 0) inside.namespace.enter(() => setSwitches({ interfaceName, hasIpv6, sysctls }));
  inside.netlink.change([
    ...[ipv4, ipv6].flatMap((one) => (one === null ? [] : [addAddress({ index: link.index, ...one })])),
    ...linkLocal.map((address) =>
      addAddress({ index: link.index, address, prefixLength: familyOf(address) === 4 ? 16 : 64 }),
    ),
    setLinkUp(link),
  ]);
  if (endpoint.hostInterface !== null) {
    // Carrier is noticed by a kernel worker (for a bridge that had no port, up to a second later), and packets before that
    // are lost. Asking for a link makes recent kernels (6.13) do that work first; the port comes before its bridge.
    inside.netlink.read(getLink(interfaceName));
    host.read(getLink(endpoint.hostInterface));
    host.read(getLink(live.network.hostInterface));
  }
  return link.index;
}

function makeInterface(parts: Parameters<typeof attachEndpoint>[0]): void {
  const { host, inside, live, endpoint } = parts;
  const { network, linkIndex } = live;
  const { interfaceName, hostInterface, macAddress } = endpoint;
  const netnsFd = inside.namespace.fd;
  if (hostInterface !== null) {
    const { mtu, hasIcc } = readBridgeOptions(network.options);
    host.change([
      createVethPair({
        name: hostInterface,
        masterIndex: linkIndex,
        mtu,
        peer: { name: interfaceName, macAddress, netnsFd },
      }),
      setPortOptions({ name: hostInterface, isIsolated: !hasIcc && !isBridgedTrafficFiltered() }),
      // Whoever had this address before had another MAC, and the host may still remember that.
      ...[endpoint.ipv4, endpoint.ipv6].flatMap((one) =>
        one === null ? [] : [setNeighbour({ index: linkIndex, address: one.address, macAddress })],
      ),
    ]);
    return;
  }
  const { mtu, macvlanMode, ipvlanMode, ipvlanFlag } = readParentOptions(network.options);
  const firstName = `mv${endpoint.id.slice(0, 11)}`;
  const child = { name: firstName, parentIndex: linkIndex, mtu, netnsFd };
  const request =
    network.driver === 'macvlan'
      ? createChild({ ...child, kind: 'macvlan', mode: macvlanMode, macAddress })
      : createChild({ ...child, kind: 'ipvlan', mode: ipvlanMode, flag: ipvlanFlag, macAddress: null });
  sayWhatIsMissing(network.driver, () => host.change([request]));
  const [made] = inside.netlink.read(getLink(firstName)).map(parseLink);
  if (made !== undefined) inside.netlink.change([renameLink({ index: made.index, name: interfaceName })]);
}

/**
 * Where the kernel shows bridged packets to the firewall (br_netfilter), the rules keep containers apart; isolated ports would then
 * also stop what one of them publishes, since the kernel bridges such packets without routing them.
 */
function isBridgedTrafficFiltered(): boolean {
  return ['iptables', 'ip6tables'].every((name) => {
    const file = `/proc/sys/net/bridge/bridge-nf-call-${name}`;
    return existsSync(file) && readFileSync(file, 'utf8').trim() === '1';
  });
}

/** Default routes as the plan has them, in place of those that are there. `before`: of the plan that was realised until now. */
export function routeEndpoints(
  netlink: Netlink,
  change: {
    readonly plan: EndpointPlan;
    readonly before: EndpointPlan | null;
    /** Of interfaces by their names, where they are known; others are looked up. */
    readonly indexes?: ReadonlyMap<string, number>;
  },
): void {
  const { plan, before, indexes } = change;
  for (const family of [4, 6] as const) {
    const name = family === 4 ? 'ipv4' : 'ipv6';
    const endpoint = plan.endpoints.find(({ id }) => id === plan.gateways[name]);
    const gateway = endpoint?.[name]?.gateway ?? null;
    if (endpoint === undefined || gateway === null) {
      if (before !== null && before.gateways[name] !== null)
        ignoring('ESRCH', () => netlink.change([deleteDefaultRoute({ family })]));
      continue;
    }
    const { interfaceName } = endpoint;
    const index = indexes?.get(interfaceName) ?? netlink.read(getLink(interfaceName)).map(parseLink)[0]?.index;
    if (index === undefined) throw internal(`the interface ${interfaceName} is gone`);
    const isOnLink = gateway === '0.0.0.0' || gateway === '::';
    netlink.change([setDefaultRoute({ family, gateway: isOnLink ? null : gateway, index })]);
  }
}

/** Takes the interface away. Does nothing when it is gone. */
export async function detachEndpoint(parts: {
  readonly host: Netlink;
  readonly inside: Netlink;
  readonly endpoint: Endpoint;
}): Promise<void> {
  const { host, inside, endpoint } = parts;
  if (endpoint.hostInterface !== null) {
    const link = findLink(host, endpoint.hostInterface);
    if (link !== null) await deleteSlowly(link);
    return;
  }
  const link = findLink(inside, endpoint.interfaceName);
  if (link !== null) inside.change([deleteLink(link)]);
}

function setSwitches(parts: {
  readonly interfaceName: string;
  readonly hasIpv6: boolean;
  readonly sysctls: ReturnType<typeof endpointSysctls>;
}): void {
  const ipv6 = `/proc/sys/net/ipv6/conf/${parts.interfaceName}/disable_ipv6`;
  if (parts.hasIpv6) {
    if (!existsSync(ipv6)) throw internal('the kernel of this machine has no IPv6');
    writeFileSync(ipv6, '0');
  }
  for (const { path, value } of parts.sysctls) {
    if (!existsSync(path)) throw internal(`${path} is not a sysctl file`);
    writeFileSync(path, value);
  }
}

function ignoring(code: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof SystemCallError) || error.code !== code) throw error;
  }
}
