import { isIP } from 'node:net';
import { readFileSync } from 'node:fs';
import type { Netlink } from '../kernel/netlink.ts';
import { listAddresses, listRoutes, parseAddress, parseRoute } from '../kernel/rtnetlink-addresses.ts';
import { type Subnet, addressNumber, familyOf, subnetOf } from './subnet.ts';

/**
 * What the host reaches already, and a network of ours would hide: its addresses, its routes, its name servers. Interfaces
 * in `except` do not count.
 */
export function hostSubnets(netlink: Netlink, except: ReadonlySet<number>): readonly Subnet[] {
  const addresses = netlink
    .read(listAddresses)
    .map(parseAddress)
    .filter((one) => !except.has(one.linkIndex));
  const routes = netlink
    .read(listRoutes)
    .map(parseRoute)
    .filter((route) => route.prefixLength > 0 && (route.linkIndex === null || !except.has(route.linkIndex)));
  return [
    ...addresses.flatMap((one) => toSubnet(one.address, one.prefixLength)),
    ...routes.flatMap((route) => toSubnet(route.destination, route.prefixLength)),
    ...nameServers().flatMap((server) => toSubnet(server, familyOf(server) === 4 ? 32 : 128)),
  ];
}

function toSubnet(text: string, prefixLength: number): readonly Subnet[] {
  const address = addressNumber(text);
  return address === null ? [] : [subnetOf({ family: familyOf(text), address, prefixLength })];
}

function nameServers(): readonly string[] {
  let text: string;
  try {
    text = readFileSync('/etc/resolv.conf', 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
  return [...text.matchAll(/^nameserver\s+(\S+)/gm)].map(([, server = '']) => server).filter((one) => isIP(one) !== 0);
}
