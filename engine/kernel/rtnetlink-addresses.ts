/**
 * What we ask the kernel about addresses, routes and neighbours, as netlink requests, and what it answers (source:
 * rtnetlink(7)). Both families. Pure; `netlink.ts` carries it.
 */
import { ipBytes, ipText } from './ip-bytes.ts';
import { macBytes } from './rtnetlink.ts';
import { type NetlinkRequest, attribute, decodeAttributes, messageFlags, uint32 } from './netlink-codec.ts';

const types = {
  newAddress: 20, deleteAddress: 21, getAddress: 22,
  newRoute: 24, deleteRoute: 25, getRoute: 26,
  newNeighbour: 28,
} as const; // prettier-ignore

const family = { any: 0, ipv4: 2, ipv6: 10 } as const;
const mainTable = 254;
const setAtBoot = 3;
const unicast = 1;
const created = messageFlags.create | messageFlags.exclusive;

export interface AddressChange {
  readonly index: number;
  readonly address: string;
  readonly prefixLength: number;
}

export function addAddress(change: AddressChange): NetlinkRequest {
  return { what: `add address ${change.address}`, type: types.newAddress, flags: created, body: addressBody(change) };
}

export function deleteAddress(change: AddressChange): NetlinkRequest {
  return { what: `delete address ${change.address}`, type: types.deleteAddress, flags: 0, body: addressBody(change) };
}

export interface DefaultRoute {
  readonly family: 4 | 6;
  /** Null: everything is reached on the interface itself. */
  readonly gateway: string | null;
  readonly index: number;
}

export function addDefaultRoute(route: { readonly gateway: string }): NetlinkRequest {
  const header = Buffer.alloc(12);
  const isIpv6 = route.gateway.includes(':');
  header.set([familyNumber(isIpv6 ? 6 : 4), 0, 0, 0, mainTable, setAtBoot, 0, unicast]);
  return {
    what: `add default route by ${route.gateway}`,
    type: types.newRoute,
    flags: created,
    body: Buffer.concat([header, attribute(5, ipBytes(route.gateway))]),
  };
}

/** In place of the one that is there. */
export function setDefaultRoute(route: DefaultRoute): NetlinkRequest {
  return {
    what: `set default route by ${route.gateway ?? `interface ${route.index}`}`,
    type: types.newRoute,
    flags: messageFlags.create | messageFlags.replace,
    body: routeBody(route),
  };
}

/** Any default route of the family; ESRCH when there is none. */
export function deleteDefaultRoute(route: { readonly family: 4 | 6 }): NetlinkRequest {
  return {
    what: `delete default route of IPv${route.family}`,
    type: types.deleteRoute,
    flags: 0,
    body: routeBody({ family: route.family, gateway: null, index: null }),
  };
}

function routeBody(route: Pick<DefaultRoute, 'family' | 'gateway'> & { readonly index: number | null }): Buffer {
  const header = Buffer.alloc(12);
  const isNamed = route.index !== null;
  const universe = 0;
  const onLink = 253;
  const nowhere = 255;
  const scope = !isNamed ? nowhere : route.gateway === null && route.family === 4 ? onLink : universe;
  const origin = isNamed ? setAtBoot : 0;
  header.set([familyNumber(route.family), 0, 0, 0, mainTable, origin, scope, isNamed ? unicast : 0]);
  return Buffer.concat([
    header,
    ...(route.gateway === null ? [] : [attribute(5, ipBytes(route.gateway))]),
    ...(route.index === null ? [] : [attribute(4, uint32(route.index))]),
  ]);
}

/** Tells the kernel the MAC of a neighbour as if that had just answered, in place of what was known. */
export function setNeighbour(change: {
  readonly index: number;
  readonly address: string;
  readonly macAddress: string;
}): NetlinkRequest {
  const header = Buffer.alloc(12);
  const reachable = 2;
  header.writeUInt8(familyNumber(change.address.includes(':') ? 6 : 4), 0);
  header.writeInt32LE(change.index, 4);
  header.writeUInt16LE(reachable, 8);
  return {
    what: `set neighbour ${change.address}`,
    type: types.newNeighbour,
    flags: messageFlags.create | messageFlags.replace,
    body: Buffer.concat([header, attribute(1, ipBytes(change.address)), attribute(2, macBytes(change.macAddress))]),
  };
}

export interface Address {
  readonly family: 4 | 6;
  readonly linkIndex: number;
  readonly address: string;
  readonly prefixLength: number;
}

export const listAddresses: NetlinkRequest = {
  what: 'list addresses',
  type: types.getAddress,
  flags: messageFlags.dump,
  body: Buffer.from([family.any, 0, 0, 0, 0, 0, 0, 0]),
};

export function parseAddress(body: Buffer): Address {
  const attributes = decodeAttributes(body.subarray(8));
  return {
    family: body.readUInt8(0) === family.ipv6 ? 6 : 4,
    linkIndex: body.readUInt32LE(4),
    // The first is the far end of a point-to-point link, the second our own.
    address: ipText(attributes.get(2) ?? attributes.get(1) ?? Buffer.alloc(0)),
    prefixLength: body.readUInt8(1),
  };
}

export interface Route {
  readonly family: 4 | 6;
  /** `0.0.0.0` or `::` with length 0: the default route. */
  readonly destination: string;
  readonly prefixLength: number;
  readonly linkIndex: number | null;
  readonly gateway: string | null;
  readonly table: number;
}

/** Of both families. */
export const listRoutes: NetlinkRequest = {
  what: 'list routes',
  type: types.getRoute,
  flags: messageFlags.dump,
  body: Buffer.from([family.any, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
};

export function parseRoute(body: Buffer): Route {
  const attributes = decodeAttributes(body.subarray(12));
  const gateway = attributes.get(5);
  const isIpv6 = body.readUInt8(0) === family.ipv6;
  return {
    family: isIpv6 ? 6 : 4,
    destination: ipText(attributes.get(1) ?? Buffer.alloc(isIpv6 ? 16 : 4)),
    prefixLength: body.readUInt8(1),
    linkIndex: attributes.get(4)?.readUInt32LE() ?? null,
    gateway: gateway === undefined ? null : ipText(gateway),
    table: attributes.get(15)?.readUInt32LE() ?? body.readUInt8(4),
  };
}

function addressBody({ index, address, prefixLength }: AddressChange): Buffer {
  const header = Buffer.alloc(8);
  const bytes = ipBytes(address);
  // Nobody else has an address that we chose: asking the neighbours would only delay its use.
  const withoutAsking = bytes.length === 16 ? 0x02 : 0;
  header.set([familyNumber(bytes.length === 16 ? 6 : 4), prefixLength, withoutAsking]);
  header.writeUInt32LE(index, 4);
  const own = [attribute(1, bytes), attribute(2, bytes)];
  if (bytes.length === 16) return Buffer.concat([header, ...own]);
  const broadcast = Buffer.alloc(4);
  const hostMask = prefixLength === 0 ? 0xffffffff : 2 ** (32 - prefixLength) - 1;
  broadcast.writeUInt32BE((bytes.readUInt32BE() | hostMask) >>> 0);
  return Buffer.concat([header, ...own, attribute(4, broadcast)]);
}

function familyNumber(number: 4 | 6): number {
  return number === 4 ? family.ipv4 : family.ipv6;
}
