/**
 * The bridge of an engine: made once, taken over at every later start. Its subnet is chosen so that it hides nothing the
 * host can reach; two engines that choose at the same moment see each other afterwards and give way.
 */
import { existsSync, writeFileSync } from 'node:fs';
import type { Netlink } from '../kernel/netlink.ts';
import {
  addAddress,
  deleteAddress,
  listAddresses,
  listRoutes,
  parseAddress,
  parseRoute,
} from '../kernel/rtnetlink-addresses.ts';
import { createBridge, deleteLink, listLinks, parseLink, setLinkUp, type Link } from '../kernel/rtnetlink.ts';
import { conflict, internal } from '../model/errors.ts';
import {
  type InterfaceAddress,
  type Subnet,
  addressNumber,
  addressText,
  defaultPools,
  formatInterfaceAddress,
  formatSubnet,
  overlaps,
  subnetOf,
} from './subnet.ts';

export interface BridgeRequest {
  readonly name: string;
  /** Null: the one that the bridge has, else the first of the default pools that is free. */
  readonly address: InterfaceAddress | null;
  readonly randomBytes: (size: number) => Buffer;
}

export interface MadeBridge {
  readonly index: number;
  readonly address: InterfaceAddress;
}

/** Throws `conflict` when the name or the address belongs to somebody else; a bridge that it made itself is gone then. */
export function makeBridge(netlink: Netlink, request: BridgeRequest): MadeBridge {
  const { name } = request;
  const existing = findLink(netlink, name);
  if (existing !== null) return settleBridge(netlink, { link: existing, request });
  netlink.change([createBridge({ name, macAddress: randomMac(request.randomBytes) })]);
  const link = findLink(netlink, name);
  if (link === null) throw internal(`the bridge ${name} was removed while it was being made`);
  try {
    return settleBridge(netlink, { link, request });
  } catch (error) {
    netlink.change([deleteLink(link)]);
    throw error;
  }
}

function settleBridge(netlink: Netlink, { link, request }: { link: Link; request: BridgeRequest }): MadeBridge {
  if (link.kind !== 'bridge')
    throw conflict(`the interface ${link.name} exists and is no bridge; choose another name with --bridge`);
  setKernelSwitches(link.name);
  const address = settleAddress(netlink, { link, request });
  netlink.change([setLinkUp(link)]);
  return { index: link.index, address };
}

export function findLink(netlink: Netlink, name: string): Link | null {
  return (
    netlink
      .read(listLinks)
      .map(parseLink)
      .find((link) => link.name === name) ?? null
  );
}

/** Locally administered, unicast. */
export function randomMac(randomBytes: (size: number) => Buffer): string {
  return ['02', ...[...randomBytes(5)].map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

function settleAddress(netlink: Netlink, { link, request }: { link: Link; request: BridgeRequest }): InterfaceAddress {
  const current = addressesOf(netlink, link.index);
  const wanted = request.address ?? current[0] ?? null;
  if (wanted !== null) {
    const text = formatInterfaceAddress(wanted);
    if (current.some((one) => formatInterfaceAddress(one) === text)) return wanted;
    if (clashes(netlink, { link, subnet: wanted.subnet }))
      throw conflict(
        `Pool overlaps with other one on this address space: ${formatSubnet(wanted.subnet)} of bridge ${link.name} is used by another interface or route of this host`,
      );
    const others = current.map((one) => deleteAddress({ index: link.index, ...parts(one) }));
    netlink.change([...others, addAddress({ index: link.index, ...parts(wanted) })]);
    return wanted;
  }
  return chooseAddress(netlink, { link, randomBytes: request.randomBytes });
}

function chooseAddress(
  netlink: Netlink,
  { link, randomBytes }: { link: Link; randomBytes: (size: number) => Buffer },
): InterfaceAddress {
  let pools = defaultPools();
  while (pools.length > 0) {
    const pool = pools.find(({ subnet }) => !clashes(netlink, { link, subnet }));
    if (pool === undefined) break;
    netlink.change([addAddress({ index: link.index, ...parts(pool) })]);
    if (!clashes(netlink, { link, subnet: pool.subnet })) return pool;
    // Somebody chose the same meanwhile. Both may see it and give way: chance keeps them from meeting again.
    netlink.change([deleteAddress({ index: link.index, ...parts(pool) })]);
    const others = pools.filter((one) => one !== pool);
    const turn = randomBytes(1).readUInt8() % Math.max(1, others.length);
    pools = [...others.slice(turn), ...others.slice(0, turn)];
  }
  throw internal(
    'could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network; name one with --bip',
  );
}

function clashes(netlink: Netlink, { link, subnet }: { link: Link; subnet: Subnet }): boolean {
  const addresses = netlink
    .read(listAddresses)
    .map(parseAddress)
    .filter((one) => one.linkIndex !== link.index);
  const routes = netlink
    .read(listRoutes)
    .map(parseRoute)
    .filter((route) => route.linkIndex !== link.index && route.prefixLength > 0);
  return (
    addresses.some((one) => overlaps(subnetOf(addressNumber(one.address), one.prefixLength), subnet)) ||
    routes.some((route) => overlaps(subnetOf(addressNumber(route.destination), route.prefixLength), subnet))
  );
}

function addressesOf(netlink: Netlink, index: number): InterfaceAddress[] {
  return netlink
    .read(listAddresses)
    .map(parseAddress)
    .filter((one) => one.linkIndex === index)
    .map((one) => {
      const address = addressNumber(one.address);
      return { address, subnet: subnetOf(address, one.prefixLength) };
    });
}

function parts(one: InterfaceAddress): { readonly address: string; readonly prefixLength: number } {
  return { address: addressText(one.address), prefixLength: one.subnet.prefixLength };
}

function setKernelSwitches(name: string): void {
  // A port published on 127.0.0.1 is forwarded with a loopback address as its source.
  writeFileSync(`/proc/sys/net/ipv4/conf/${name}/route_localnet`, '1');
  // Containers of this network have IPv4 alone; a router advertisement from one of them must not reach the host (CVE-2020-13401).
  const ipv6 = `/proc/sys/net/ipv6/conf/${name}`;
  if (!existsSync(ipv6)) return;
  writeFileSync(`${ipv6}/accept_ra`, '0');
  writeFileSync(`${ipv6}/disable_ipv6`, '1');
}
