/**
 * Sockets made by hand, for those that Node cannot make: in another network namespace (to be called inside
 * `NetworkNamespace.enter`), or of a protocol that it does not know. The caller owns the descriptor and may give it to Node's
 * own `Socket`, `Server` or dgram socket.
 */
import { isIPv6 } from 'node:net';
import { SystemCallError, systemCall } from './libc.ts';

const socketCall = systemCall<[number, number, number]>('int socket(int domain, int type, int protocol)');
const bindCall = systemCall<[number, Buffer, number]>('int bind(int fd, void *address, unsigned int length)');
const connectCall = systemCall<[number, Buffer, number]>('int connect(int fd, void *address, unsigned int length)');
const listenCall = systemCall<[number, number]>('int listen(int fd, int backlog)');
const getsockname = systemCall<[number, Buffer, Uint32Array]>('int getsockname(int fd, void *address, void *length)');
const setsockopt = systemCall<[number, number, number, Int32Array, number]>(
  'int setsockopt(int fd, int level, int name, void *value, unsigned int length)',
);

export type SocketProtocol = 'tcp' | 'udp' | 'sctp';

export interface SocketAddress {
  /** IPv4 or IPv6, without brackets. */
  readonly address: string;
  readonly port: number;
}

const families = { ipv4: 2, ipv6: 10 } as const;
const kinds = {
  tcp: { type: 1, protocol: 0 },
  udp: { type: 2, protocol: 0 },
  sctp: { type: 1, protocol: 132 },
} as const;
const closeOnExec = 0o2000000;
const nonBlocking = 0o4000;
const maxAddressBytes = 28;

/** Non-blocking, closed on exec; an IPv6 one takes IPv6 alone. Throws EPROTONOSUPPORT for a protocol that the kernel lacks. */
export function openSocket(protocol: SocketProtocol, address: string): number {
  const { type, protocol: number } = kinds[protocol];
  const isV6 = isIPv6(address);
  const fd = socketCall(protocol, isV6 ? families.ipv6 : families.ipv4, type | closeOnExec | nonBlocking, number);
  const ipv6Level = 41;
  const onlyIpv6 = 26;
  if (isV6) setsockopt('IPv6 alone', fd, ipv6Level, onlyIpv6, Int32Array.of(1), 4);
  return fd;
}

/** Port 0 takes any free one; see `boundPort`. */
export function bindSocket(fd: number, at: SocketAddress): void {
  const bytes = addressBytes(at);
  bindCall(`${at.address} port ${at.port}`, fd, bytes, bytes.length);
}

/** Of TCP, the beginning alone: bytes that are written wait until the connection stands. */
export function connectSocket(fd: number, to: SocketAddress): void {
  const bytes = addressBytes(to);
  try {
    connectCall(`${to.address} port ${to.port}`, fd, bytes, bytes.length);
  } catch (error) {
    // EALREADY: it had begun, and libc.ts began it once more.
    if (!(error instanceof SystemCallError && ['EINPROGRESS', 'EALREADY'].includes(error.code))) throw error;
  }
}

/** With SCTP and TCP, what makes a bound port nobody else's. */
export function listenOn(fd: number, backlog: number): void {
  listenCall('', fd, backlog);
}

export function boundPort(fd: number): number {
  const bytes = Buffer.alloc(maxAddressBytes);
  getsockname('', fd, bytes, Uint32Array.of(bytes.length));
  return bytes.readUInt16BE(2);
}

/** A `sockaddr_in` or `sockaddr_in6` (source: ip(7), ipv6(7)). */
function addressBytes({ address, port }: SocketAddress): Buffer {
  const isV6 = isIPv6(address);
  const bytes = Buffer.alloc(isV6 ? maxAddressBytes : 16);
  bytes.writeUInt16LE(isV6 ? families.ipv6 : families.ipv4, 0);
  bytes.writeUInt16BE(port, 2);
  if (isV6) bytes.set(ipv6Bytes(address), 8);
  else bytes.set(address.split('.').map(Number), 4);
  return bytes;
}

/** 16 bytes of any way to write an IPv6 address, without a zone. */
export function ipv6Bytes(text: string): Buffer {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const pair = (high: string | undefined, low: string | undefined): string =>
    (Number(high) * 256 + Number(low)).toString(16);
  const plain = dotted === null ? text : `${dotted[1]}${pair(dotted[2], dotted[3])}:${pair(dotted[4], dotted[5])}`;
  const [head = '', tail] = plain.split('::', 2);
  const words = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16));
  const [first, last] = [words(head), words(tail ?? '')];
  const zeros = tail === undefined ? 0 : 8 - first.length - last.length;
  const bytes = Buffer.alloc(16);
  [...first, ...Array.from({ length: zeros }, () => 0), ...last].forEach((word, at) =>
    bytes.writeUInt16BE(word, at * 2),
  );
  return bytes;
}
