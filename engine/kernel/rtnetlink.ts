/**
 * What we ask the kernel about interfaces, as netlink requests, and what it answers (source: rtnetlink(7),
 * linux/if_link.h). Pure; `netlink.ts` carries it. Addresses and routes are in `rtnetlink-addresses.ts`.
 */
import {
  type NetlinkRequest,
  attribute,
  decodeAttributes,
  decodeText,
  messageFlags,
  nested,
  text,
  uint16,
  uint32,
  uint8,
} from './netlink-codec.ts';

const types = { newLink: 16, deleteLink: 17, getLink: 18 } as const;

const link = { address: 1, name: 3, mtu: 4, link: 5, master: 10, info: 18, afSpec: 26, netnsFd: 28 } as const;
const linkInfo = { kind: 1, data: 2, slaveKind: 4, slaveData: 5 } as const;
const created = messageFlags.create | messageFlags.exclusive;
const up = 0x1;
const running = 0x40;

export function createBridge(bridge: {
  readonly name: string;
  readonly macAddress: string;
  /** Null: the kernel's. */
  readonly mtu?: number | null;
}): NetlinkRequest {
  return {
    what: `create bridge ${bridge.name}`,
    type: types.newLink,
    flags: created,
    body: Buffer.concat([
      linkHeader({}),
      attribute(link.name, text(bridge.name)),
      // A bridge without an address of its own takes the lowest of its ports, and changes it under its peers.
      attribute(link.address, macBytes(bridge.macAddress)),
      ...mtuAttribute(bridge.mtu),
      nested(link.info, [attribute(linkInfo.kind, text('bridge'))]),
    ]),
  };
}

export interface VethPair {
  /** The end that stays, up at once and a port of `masterIndex`. */
  readonly name: string;
  readonly masterIndex: number | null;
  /** Of both ends; null: the kernel's. */
  readonly mtu?: number | null;
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
    ...mtuAttribute(pair.mtu),
    attribute(link.netnsFd, uint32(pair.peer.netnsFd)),
  ]);
  return {
    what: `create interfaces ${pair.name} and ${pair.peer.name}`,
    type: types.newLink,
    flags: created,
    body: Buffer.concat([
      linkHeader({ isUp: true }),
      attribute(link.name, text(pair.name)),
      ...mtuAttribute(pair.mtu),
      ...(pair.masterIndex === null ? [] : [attribute(link.master, uint32(pair.masterIndex))]),
      nested(link.info, [attribute(linkInfo.kind, text('veth')), nested(linkInfo.data, [nested(1, [peer])])]),
    ]),
  };
}

export type ChildKind =
  | { readonly kind: 'macvlan'; readonly mode: 'private' | 'vepa' | 'bridge' | 'passthru' }
  | { readonly kind: 'ipvlan'; readonly mode: 'l2' | 'l3' | 'l3s'; readonly flag: 'bridge' | 'private' | 'vepa' }
  | { readonly kind: 'vlan'; readonly tag: number };

const macvlanModes = { private: 1, vepa: 2, bridge: 4, passthru: 8 } as const;
const ipvlanModes = { l2: 0, l3: 1, l3s: 2 } as const;
const ipvlanFlags = { bridge: 0, private: 1, vepa: 2 } as const;

/**
 * An interface on top of another one (source: linux/if_link.h): down, in the namespace of the descriptor if one is given. Its
 * name must be free here too: the kernel looks for it where it is asked.
 */
export function createChild(
  child: ChildKind & {
    readonly name: string;
    readonly parentIndex: number;
    readonly macAddress: string | null;
    readonly mtu: number | null;
    readonly netnsFd: number | null;
  },
): NetlinkRequest {
  return {
    what: `create ${child.kind} interface ${child.name}`,
    type: types.newLink,
    flags: created,
    body: Buffer.concat([
      linkHeader({}),
      attribute(link.name, text(child.name)),
      attribute(link.link, uint32(child.parentIndex)),
      ...(child.macAddress === null ? [] : [attribute(link.address, macBytes(child.macAddress))]),
      ...mtuAttribute(child.mtu),
      ...(child.netnsFd === null ? [] : [attribute(link.netnsFd, uint32(child.netnsFd))]),
      nested(link.info, [attribute(linkInfo.kind, text(child.kind)), nested(linkInfo.data, childData(child))]),
    ]),
  };
}

function childData(child: ChildKind): readonly Buffer[] {
  switch (child.kind) {
    case 'macvlan':
      return [attribute(1, uint32(macvlanModes[child.mode]))];
    case 'ipvlan':
      return [attribute(1, uint16(ipvlanModes[child.mode])), attribute(2, uint16(ipvlanFlags[child.flag]))];
    case 'vlan':
      return [attribute(1, uint16(child.tag))];
  }
}

/** A link with nothing at its end: the parent of networks that lead nowhere. */
export function createDummy(dummy: { readonly name: string }): NetlinkRequest {
  return {
    what: `create dummy interface ${dummy.name}`,
    type: types.newLink,
    flags: created,
    body: Buffer.concat([
      linkHeader({ isUp: true }),
      attribute(link.name, text(dummy.name)),
      nested(link.info, [attribute(linkInfo.kind, text('dummy'))]),
    ]),
  };
}

/**
 * How a port of a bridge behaves. A frame may go back out of the port that it came in by: a container reaching itself
 * through a published port does that. Isolated ports reach the bridge and not each other.
 */
export function setPortOptions(port: { readonly name: string; readonly isIsolated: boolean }): NetlinkRequest {
  const hairpin = 4;
  const isolated = 33;
  return {
    what: `set options of the bridge port ${port.name}`,
    type: types.newLink,
    flags: 0,
    body: Buffer.concat([
      linkHeader({}),
      attribute(link.name, text(port.name)),
      nested(link.info, [
        attribute(linkInfo.slaveKind, text('bridge')),
        nested(linkInfo.slaveData, [
          attribute(hairpin, uint8(1)),
          ...(port.isIsolated ? [attribute(isolated, uint8(1))] : []),
        ]),
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

/** It must be down. */
export function renameLink(change: { readonly index: number; readonly name: string }): NetlinkRequest {
  return {
    what: `rename interface ${change.index} to ${change.name}`,
    type: types.newLink,
    flags: 0,
    body: Buffer.concat([linkHeader({ index: change.index }), attribute(link.name, text(change.name))]),
  };
}

export function setMtu(change: { readonly index: number; readonly mtu: number }): NetlinkRequest {
  return {
    what: `set MTU ${change.mtu} of interface ${change.index}`,
    type: types.newLink,
    flags: 0,
    body: Buffer.concat([linkHeader({ index: change.index }), ...mtuAttribute(change.mtu)]),
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

function linkHeader({ index = 0, isUp = false }: { readonly index?: number; readonly isUp?: boolean }): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(index, 4);
  if (isUp) {
    header.writeUInt32LE(up, 8);
    header.writeUInt32LE(up, 12);
  }
  return header;
}

function mtuAttribute(mtu: number | null | undefined): readonly Buffer[] {
  return mtu === null || mtu === undefined ? [] : [attribute(link.mtu, uint32(mtu))];
}

export function macBytes(address: string): Buffer {
  const bytes = Buffer.from(address.replaceAll(':', ''), 'hex');
  if (bytes.length !== 6) throw new RangeError(`no MAC address: ${address}`);
  return bytes;
}
