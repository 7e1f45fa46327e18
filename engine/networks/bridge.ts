/**
 * The bridge of a network: made once, taken over at every later start. A subnet that was chosen hides nothing that the host
 * can reach; two engines that choose at the same moment see each other afterwards and give way.
 */
import { existsSync, writeFileSync } from 'node:fs';
import type { Netlink } from '../kernel/netlink.ts';
import { addAddress, deleteAddress, listAddresses, parseAddress } from '../kernel/rtnetlink-addresses.ts';
import { type Link, createBridge, deleteLink, listLinks, parseLink, setLinkUp, setMtu } from '../kernel/rtnetlink.ts';
import { conflict, internal } from '../model/errors.ts';
import { hostSubnets } from './host-subnets.ts';
import {
  type InterfaceAddress,
  type Subnet,
  addressNumber,
  addressText,
  formatInterfaceAddress,
  formatSubnet,
  overlaps,
  subnetOf,
} from './subnet.ts';

export interface BridgeRequest {
  readonly name: string;
  /** Null: the kernel's. */
  readonly mtu: number | null;
  /** What the bridge shall have; asked again with the subnets that turned out to be somebody else's. */
  readonly addresses: (refused: readonly Subnet[]) => readonly InterfaceAddress[];
  /** What to do when the host uses such a subnet otherwise. `accept`: somebody asked for it by name. */
  readonly whenClashing: 'choose-again' | 'fail' | 'accept';
  readonly randomBytes: (size: number) => Buffer;
}

export interface MadeBridge {
  readonly index: number;
  readonly addresses: readonly InterfaceAddress[];
}

/** Throws `conflict` when the name or the address belongs to somebody else; a bridge that it made itself is gone then. */
export function makeBridge(netlink: Netlink, request: BridgeRequest): MadeBridge {
  const { name, mtu } = request;
  const existing = findLink(netlink, name);
  if (existing !== null) return settleBridge(netlink, { link: existing, request });
  netlink.change([createBridge({ name, macAddress: randomMac(request.randomBytes), mtu })]);
  const link = findLink(netlink, name);
  if (link === null) throw internal(`the bridge ${name} was removed while it was being made`);
  try {
    return settleBridge(netlink, { link, request });
  } catch (error) {
    netlink.change([deleteLink(link)]);
    throw error;
  }
}

export function findLink(netlink: Netlink, name: string): Link | null {
  return (
    netlink
      .read(listLinks)
      .map(parseLink)
      .find((link) => link.name === name) ?? null
  );
}

/** Addresses of one interface, without those that the kernel gives by itself. */
export function addressesOf(netlink: Netlink, index: number): readonly InterfaceAddress[] {
  return netlink
    .read(listAddresses)
    .map(parseAddress)
    .filter((one) => one.linkIndex === index && !one.address.startsWith('fe80:'))
    .flatMap(({ family, address: text, prefixLength }) => {
      const address = addressNumber(text);
      return address === null ? [] : [{ address, subnet: subnetOf({ family, address, prefixLength }) }];
    });
}

/** Locally administered, unicast. */
export function randomMac(randomBytes: (size: number) => Buffer): string {
  return ['02', ...[...randomBytes(5)].map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

function settleBridge(netlink: Netlink, { link, request }: { link: Link; request: BridgeRequest }): MadeBridge {
  if (link.kind !== 'bridge')
    throw conflict(`the interface ${link.name} exists and is no bridge; choose another name for the bridge`);
  const addresses = settleAddresses(netlink, { link, request });
  if (request.mtu !== null) netlink.change([setMtu({ index: link.index, mtu: request.mtu })]);
  netlink.change([setLinkUp(link)]);
  return { index: link.index, addresses };
}

function settleAddresses(
  netlink: Netlink,
  { link, request }: { link: Link; request: BridgeRequest },
): readonly InterfaceAddress[] {
  const refused: Subnet[] = [];
  for (;;) {
    const wanted = request.addresses(refused);
    const texts = new Set(wanted.map(formatInterfaceAddress));
    const current = addressesOf(netlink, link.index);
    const had = new Set(current.map(formatInterfaceAddress));
    const missing = wanted.filter((one) => !had.has(formatInterfaceAddress(one)));
    const before = request.whenClashing === 'accept' ? [] : clashing(netlink, { link, wanted: missing });
    if (before.length > 0 && request.whenClashing === 'fail') throw clash(link, before);
    setKernelSwitches(link.name, { hasIpv6: wanted.some(({ subnet }) => subnet.family === 6) });
    const others = current.filter((one) => !texts.has(formatInterfaceAddress(one)));
    netlink.change([
      ...others.map((one) => deleteAddress({ index: link.index, ...parts(one) })),
      ...missing.map((one) => addAddress({ index: link.index, ...parts(one) })),
    ]);
    if (request.whenClashing !== 'choose-again') return wanted;
    // Somebody may have chosen the same meanwhile. Both may see it and give way.
    const after = clashing(netlink, { link, wanted: missing });
    if (after.length === 0) return wanted;
    netlink.change(missing.map((one) => deleteAddress({ index: link.index, ...parts(one) })));
    refused.push(...after.map(({ subnet }) => subnet));
  }
}

function clashing(
  netlink: Netlink,
  { link, wanted }: { link: Link; wanted: readonly InterfaceAddress[] },
): readonly InterfaceAddress[] {
  if (wanted.length === 0) return [];
  const used = hostSubnets(netlink, new Set([link.index]));
  return wanted.filter(({ subnet }) => used.some((other) => overlaps(other, subnet)));
}

function clash(link: Link, clashing: readonly InterfaceAddress[]): Error {
  const subnets = clashing.map(({ subnet }) => formatSubnet(subnet)).join(', ');
  return conflict(
    `Pool overlaps with other one on this address space: ${subnets} of bridge ${link.name} is used by another interface or route of this host`,
  );
}

function parts(one: InterfaceAddress): { readonly address: string; readonly prefixLength: number } {
  return { address: addressText(one.subnet.family, one.address), prefixLength: one.subnet.prefixLength };
}

function setKernelSwitches(name: string, { hasIpv6 }: { readonly hasIpv6: boolean }): void {
  // A port published on 127.0.0.1 is forwarded with a loopback address as its source.
  writeFileSync(`/proc/sys/net/ipv4/conf/${name}/route_localnet`, '1');
  const ipv6 = `/proc/sys/net/ipv6/conf/${name}`;
  if (!existsSync(ipv6)) return;
  // A router advertisement from a container must not reach the host (CVE-2020-13401).
  writeFileSync(`${ipv6}/accept_ra`, '0');
  writeFileSync(`${ipv6}/disable_ipv6`, hasIpv6 ? '0' : '1');
}
