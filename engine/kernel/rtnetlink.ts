/**
 * What we ask the kernel about interfaces, addresses and routes, as netlink requests, and what it answers
 * (source: rtnetlink(7), linux/if_link.h). Pure; `netlink.ts` carries it.
 */
import {
  type NetlinkRequest,
  attribute,
  decodeAttributes,
  decodeText,
  messageFlags,
  nested,
  text,
  uint32,
  uint8,
} from './netlink-codec.ts';

const types = {
  newLink: 16, deleteLink: 17, getLink: 18,
  newAddress: 20, deleteAddress: 21, getAddress: 22,
  newRoute: 24, getRoute: 26,
  newNeighbour: 28,
} as const; // prettier-ignore

const link = { address: 1, name: 3, mtu: 4, master: 10, info: 18, afSpec: 26, netnsFd: 28 } as const;
const linkInfo = { kind: 1, data: 2, slaveKind: 4, slaveData: 5 } as const;
const family = { any: 0, ipv4: 2, ipv6: 10 } as const;
const created = messageFlags.create | messageFlags.exclusive;
const up = 0x1;
const running = 0x40;

export function createBridge(bridge: { readonly name: string; readonly macAddress: string }): NetlinkRequest {
  return {
    what: `create bridge ${bridge.name}`,
    type: types.newLink,
    flags: created,
    body: Buffer.concat([
      linkHeader({}),
      attribute(link.name, text(bridge.name)),
      // A bridge without an address of its own takes the lowest of its ports, and changes it under its peers.
      attribute(link.address, macBytes(bridge.macAddress)),
      nested(link.info, [attribute(linkInfo.kind, text('bridge'))]),
    ]),
  };
}

export interface VethPair {
  /** The end that stays, up at once and a port of `masterIndex`. */
  readonly name: string;
  readonly masterIndex: number | null;
  readonly peer: {
    readonly name: string;
    readonly macAddress: string;
    /** Open descriptor of the namespace that it is made in, down. */
    readonly netnsFd: number;
  };
}

export function createVethPair(pair: VethPair): NetlinkRequest {
  const peer = Buffer.concat([
    linkHeader({}),
    attribute(link.name, text(pair.peer.name)),
    attribute(link.address, macBytes(pair.peer.macAddress)),
    attribute(link.netnsFd, uint32(pair.peer.netnsFd)),
  ]);
  return {
    what: `create interfaces ${pair.name} and ${pair.peer.name}`,
    type: types.newLink,
    flags: created,
    body: Buffer.concat([
      linkHeader({ isUp: true }),
      attribute(link.name, text(pair.name)),
      ...(pair.masterIndex === null ? [] : [attribute(link.master, uint32(pair.masterIndex))]),
      nested(link.info, [attribute(linkInfo.kind, text('veth')), nested(linkInfo.data, [nested(1, [peer])])]),
    ]),
  };
}

/** A frame may go back out of the port that it came in by: a container reaching itself through a published port does that. */
export function setHairpin(name: string): NetlinkRequest {
  const mode = 4;
  return {
    what: `set hairpin mode of ${name}`,
    type: types.newLink,
    flags: 0,
    body: Buffer.concat([
      linkHeader({}),
      attribute(link.name, text(name)),
      nested(link.info, [
        attribute(linkInfo.slaveKind, text('bridge')),
        nested(linkInfo.slaveData, [attribute(mode, uint8(1))]),
      ]),
    ]),
  };
}

export function setLinkUp(target: { readonly index: number }): NetlinkRequest {
  return {
    what: `set interface ${target.index} up`,
    type: types.newLink,
    flags: 0,
    body: linkHeader({ index: target.index, isUp: true }),
  };
}

export function setMaster(change: { readonly index: number; readonly masterIndex: number }): NetlinkRequest {
  return {
    what: `make interface ${change.index} a port of ${change.masterIndex}`,
    type: types.newLink,
    flags: 0,
    body: Buffer.concat([linkHeader({ index: change.index }), attribute(link.master, uint32(change.masterIndex))]),
  };
}

export function deleteLink(target: { readonly index: number }): NetlinkRequest {
  return {
    what: `delete interface ${target.index}`,
    type: types.deleteLink,
    flags: 0,
    body: linkHeader({ index: target.index }),
  };
}

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

export function addDefaultRoute(route: { readonly gateway: string }): NetlinkRequest {
  const header = Buffer.alloc(12);
  const mainTable = 254;
  const setAtBoot = 3;
  const unicast = 1;
  header.set([family.ipv4, 0, 0, 0, mainTable, setAtBoot, 0, unicast]);
  return {
    what: `add default route by ${route.gateway}`,
    type: types.newRoute,
    flags: created,
    body: Buffer.concat([header, attribute(5, ipv4Bytes(route.gateway))]),
  };
}

/** Tells the kernel the MAC of a neighbour as if that had just answered, in place of what was known. */
export function setNeighbour(change: {
  readonly index: number;
  readonly address: string;
  readonly macAddress: string;
}): NetlinkRequest {
  const header = Buffer.alloc(12);
  const reachable = 2;
  header.writeUInt8(family.ipv4, 0);
  header.writeInt32LE(change.index, 4);
  header.writeUInt16LE(reachable, 8);
  return {
    what: `set neighbour ${change.address}`,
    type: types.newNeighbour,
    flags: messageFlags.create | messageFlags.replace,
    body: Buffer.concat([header, attribute(1, ipv4Bytes(change.address)), attribute(2, macBytes(change.macAddress))]),
  };
}

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly isUp: boolean;
  /** Up, and so is the other end: the kernel finds that out a moment later. */
  readonly isRunning: boolean;
  /** `bridge`, `veth`, …; empty for interfaces of hardware. */
  readonly kind: string;
  readonly masterIndex: number | null;
}

export const listLinks: NetlinkRequest = {
  what: 'list interfaces',
  type: types.getLink,
  flags: messageFlags.dump,
  body: linkHeader({}),
};

/** One interface; ENODEV when there is none of that name. */
export function getLink(name: string): NetlinkRequest {
  return {
    what: `find interface ${name}`,
    type: types.getLink,
    flags: 0,
    body: Buffer.concat([linkHeader({}), attribute(link.name, text(name))]),
  };
}

export function parseLink(body: Buffer): Link {
  const attributes = decodeAttributes(body.subarray(16));
  return {
    index: body.readInt32LE(4),
    name: decodeText(attributes.get(link.name)),
    isUp: (body.readUInt32LE(8) & up) !== 0,
    isRunning: (body.readUInt32LE(8) & running) !== 0,
    kind: decodeText(decodeAttributes(attributes.get(link.info) ?? Buffer.alloc(0)).get(linkInfo.kind)),
    masterIndex: attributes.get(link.master)?.readUInt32LE() ?? null,
  };
}

export interface Address {
  readonly linkIndex: number;
  readonly address: string;
  readonly prefixLength: number;
}

export const listAddresses: NetlinkRequest = {
  what: 'list addresses',
  type: types.getAddress,
  flags: messageFlags.dump,
  body: Buffer.from([family.ipv4, 0, 0, 0, 0, 0, 0, 0]),
};

export function parseAddress(body: Buffer): Address {
  const attributes = decodeAttributes(body.subarray(8));
  return {
    linkIndex: body.readUInt32LE(4),
    // The first is the far end of a point-to-point link, the second our own.
    address: ipv4Text(attributes.get(2) ?? attributes.get(1)),
    prefixLength: body.readUInt8(1),
  };
}

export interface Route {
  /** `0.0.0.0` with length 0: the default route. */
  readonly destination: string;
  readonly prefixLength: number;
  readonly linkIndex: number | null;
  readonly gateway: string | null;
  readonly table: number;
}

export const listRoutes: NetlinkRequest = {
  what: 'list routes',
  type: types.getRoute,
  flags: messageFlags.dump,
  body: Buffer.from([family.ipv4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
};

export function parseRoute(body: Buffer): Route {
  const attributes = decodeAttributes(body.subarray(12));
  const gateway = attributes.get(5);
  return {
    destination: ipv4Text(attributes.get(1) ?? Buffer.alloc(4)),
    prefixLength: body.readUInt8(1),
    linkIndex: attributes.get(4)?.readUInt32LE() ?? null,
    gateway: gateway === undefined ? null : ipv4Text(gateway),
    table: attributes.get(15)?.readUInt32LE() ?? body.readUInt8(4),
  };
}

function linkHeader({ index = 0, isUp = false }: { readonly index?: number; readonly isUp?: boolean }): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(index, 4);
  if (isUp) {
    header.writeUInt32LE(up, 8);
    header.writeUInt32LE(up, 12);
  }
  return header;
}

function addressBody({ index, address, prefixLength }: AddressChange): Buffer {
  const header = Buffer.alloc(8);
  header.set([family.ipv4, prefixLength]);
  header.writeUInt32LE(index, 4);
  const bytes = ipv4Bytes(address);
  const broadcast = Buffer.alloc(4);
  const hostMask = prefixLength === 0 ? 0xffffffff : 2 ** (32 - prefixLength) - 1;
  broadcast.writeUInt32BE((bytes.readUInt32BE() | hostMask) >>> 0);
  return Buffer.concat([header, attribute(1, bytes), attribute(2, bytes), attribute(4, broadcast)]);
}

function ipv4Bytes(address: string): Buffer {
  const bytes = address.split('.').map(Number);
  if (bytes.length !== 4 || !bytes.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255))
    throw new RangeError(`no IPv4 address: ${address}`);
  return Buffer.from(bytes);
}

function ipv4Text(bytes: Buffer | undefined): string {
  return [...(bytes ?? Buffer.alloc(4))].join('.');
}

function macBytes(address: string): Buffer {
  const bytes = Buffer.from(address.replaceAll(':', ''), 'hex');
  if (bytes.length !== 6) throw new RangeError(`no MAC address: ${address}`);
  return bytes;
}
