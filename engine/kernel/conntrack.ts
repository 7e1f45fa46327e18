/**
 * Flows that the kernel remembers (source: linux/netfilter/nfnetlink_conntrack.h). A flow keeps the address translation that its first
 * packet got; one of UDP has no end, and would lead to a container that is gone for as long as somebody sends.
 */
import { isIPv6 } from 'node:net';
import { SystemCallError } from './libc.ts';
import type { Netlink } from './netlink.ts';
import { type NetlinkRequest, attribute, nested, uint32, uint8 } from './netlink-codec.ts';
import { ipv6Bytes } from './sockets.ts';

export interface FlowFilter {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** Whom the first packet was sent to, before any translation. */
  readonly to: { readonly address: string; readonly port: number };
  /** Who answered: where it was translated to. Null: anybody. */
  readonly answeredBy: string | null;
}

const deleteFlows = (1 << 8) | 2;
const protocolNumbers = { tcp: 6, udp: 17, sctp: 132 } as const;
const family = { ipv4: 2, ipv6: 10 } as const;
const tuple = { original: 1, reply: 2, ip: 1, protocol: 2 } as const;
const address = { sourceV4: 1, targetV4: 2, sourceV6: 3, targetV6: 4 } as const;
const filter = { attribute: 25, original: 1, reply: 2 } as const;
const matches = { source: 1 << 0, target: 1 << 1, protocol: 1 << 3, targetPort: 1 << 5 } as const;

/** `line`: of the side `netfilter`. Kernels before 5.8 cannot delete by such a filter; flows then end by being idle. */
export function forgetFlows(line: Netlink, flows: FlowFilter): void {
  try {
    line.change([deletion(flows)]);
  } catch (error) {
    if (!(error instanceof SystemCallError) || !['EOPNOTSUPP', 'ENOENT', 'EINVAL'].includes(error.code)) throw error;
  }
}

export function deletion({ protocol, to, answeredBy }: FlowFilter): NetlinkRequest {
  const isV6 = isIPv6(to.address);
  const port = Buffer.alloc(2);
  port.writeUInt16BE(to.port);
  const targetMatches = matches.target | matches.protocol | matches.targetPort;
  return {
    what: `forget flows to ${to.address} port ${to.port}/${protocol}`,
    type: deleteFlows,
    flags: 0,
    body: Buffer.concat([
      Buffer.from([isV6 ? family.ipv6 : family.ipv4, 0, 0, 0]),
      nested(tuple.original, [
        nested(tuple.ip, [addressAttribute(isV6 ? address.targetV6 : address.targetV4, to.address)]),
        nested(tuple.protocol, [attribute(1, uint8(protocolNumbers[protocol])), attribute(3, port)]),
      ]),
      ...(answeredBy === null
        ? []
        : [
            nested(tuple.reply, [
              nested(tuple.ip, [addressAttribute(isV6 ? address.sourceV6 : address.sourceV4, answeredBy)]),
            ]),
          ]),
      nested(filter.attribute, [
        attribute(filter.original, uint32(targetMatches)),
        attribute(filter.reply, uint32(answeredBy === null ? 0 : matches.source)),
      ]),
    ]),
  };
}

function addressAttribute(type: number, text: string): Buffer {
  return attribute(type, isIPv6(text) ? ipv6Bytes(text) : Buffer.from(text.split('.').map(Number)));
}
