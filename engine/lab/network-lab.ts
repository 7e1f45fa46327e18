/**
 * A network to try things in, for tests: the thread leaves the computer's network for a fresh one, which plays the host, and a
 * second one beside it plays the outside. Nothing that happens there touches the computer, and all of it ends with the thread.
 */
import { closeSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { systemCall } from '../kernel/libc.ts';
import { ipBytes } from '../kernel/ip-bytes.ts';
import { openNetlink } from '../kernel/netlink.ts';
import { type NetworkNamespace, makeNamespace } from '../kernel/netns.ts';
import { addAddress, addDefaultRoute } from '../kernel/rtnetlink-addresses.ts';
import { createVethPair, getLink, parseLink, setLinkUp } from '../kernel/rtnetlink.ts';
import type { Netlink } from '../kernel/netlink.ts';

const unshare = systemCall<[number]>('int unshare(int flags)');
const setns = systemCall<[number, number]>('int setns(int fd, int type)');
const socketCall = systemCall<[number, number, number]>('int socket(int domain, int type, int protocol)');
const connectCall = systemCall<[number, Buffer, number]>('int connect(int fd, void *address, unsigned int length)');
const bindCall = systemCall<[number, Buffer, number]>('int bind(int fd, void *address, unsigned int length)');
const setsockopt = systemCall<[number, number, number, BigInt64Array, number]>(
  'int setsockopt(int fd, int level, int name, void *value, unsigned int length)',
);

const networkNamespace = 0x40000000;
const ipv4Family = 2;
const ipv6Family = 10;
const stream = 1;
const datagram = 2;
const closeOnExec = 0o2000000;
const refusalTimeoutUs = 400_000n;

/** From here until it is disposed, sockets, links and rules of this thread are those of a fresh network with lo up. */
export function enterFreshNetwork(): Disposable {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  unshare('a fresh network', networkNamespace);
  using netlink = openNetlink();
  netlink.change([setLinkUp({ index: linkIndex(netlink, 'lo') })]);
  return {
    [Symbol.dispose]() {
      setns('the network of the computer', home, networkNamespace);
      closeSync(home);
    },
  };
}

/** Another computer on the wire `name`, which uses this one as its router. */
export async function attachOutsider(wire: {
  readonly name: string;
  readonly hostAddress: string;
  readonly address: string;
}): Promise<NetworkNamespace> {
  using host = openNetlink();
  const outside = makeNamespace();
  host.change([
    createVethPair({
      name: wire.name,
      masterIndex: null,
      peer: { name: 'wire', macAddress: '02:00:00:00:00:99', netnsFd: outside.fd },
    }),
  ]);
  host.change([addAddress({ index: linkIndex(host, wire.name), address: wire.hostAddress, prefixLength: 24 })]);
  outside.enter(() => {
    using inside = openNetlink();
    const index = linkIndex(inside, 'wire');
    inside.change([
      setLinkUp({ index: linkIndex(inside, 'lo') }),
      addAddress({ index, address: wire.address, prefixLength: 24 }),
      setLinkUp({ index }),
      addDefaultRoute({ gateway: wire.hostAddress }),
    ]);
  });
  // When both ends happen to have the same index, the kernel looks at them a second later only.
  const deadline = AbortSignal.timeout(30_000);
  const areRunning = (): boolean =>
    isRunning(host, wire.name) &&
    outside.enter(() => {
      using inside = openNetlink();
      return isRunning(inside, 'wire');
    });
  while (!areRunning()) await setTimeout(10, undefined, { signal: deadline });
  return outside;
}

function isRunning(netlink: Netlink, name: string): boolean {
  return netlink
    .read(getLink(name))
    .map(parseLink)
    .every((link) => link.isRunning);
}

/**
 * A TCP connection made from inside a namespace. The kernel answers, not the event loop; what is not answered within
 * 0.4 s is EINPROGRESS, what is refused ECONNREFUSED.
 */
export function connectFrom(
  namespace: NetworkNamespace,
  to: { readonly address: string; readonly port: number },
): Socket {
  const address = socketAddress(to);
  const fd = namespace.enter(() => socketCall('tcp', address.readUInt16LE(), stream | closeOnExec, 0));
  try {
    setsockopt('send timeout', fd, 1, 21, BigInt64Array.of(0n, refusalTimeoutUs), 16);
    connectCall(`${to.address}:${to.port}`, fd, address, address.length);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
}

/** A UDP socket bound inside a namespace; port 0 for any. The caller owns the descriptor. */
export function udpSocketIn(namespace: NetworkNamespace, port: number): number {
  return namespace.enter(() => {
    const fd = socketCall('udp', ipv4Family, datagram | closeOnExec, 0);
    bindCall(`udp port ${port}`, fd, socketAddress({ address: '0.0.0.0', port }), 16);
    return fd;
  });
}

export function linkIndex(netlink: Netlink, name: string): number {
  const [link] = netlink.read(getLink(name)).map(parseLink);
  if (link === undefined) throw new Error(`no interface ${name}`);
  return link.index;
}

function socketAddress({ address, port }: { readonly address: string; readonly port: number }): Buffer {
  const isIpv6 = address.includes(':');
  const bytes = Buffer.alloc(isIpv6 ? 28 : 16);
  bytes.writeUInt16LE(isIpv6 ? ipv6Family : ipv4Family, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(ipBytes(address), isIpv6 ? 8 : 4);
  return bytes;
}
