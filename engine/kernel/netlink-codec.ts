/**
 * The wire of netlink (source: RFC 3549, netlink(7)): messages of a 16-byte header and a body of a fixed struct and
 * attributes, everything in the byte order of the host, padded to four bytes. Pure; little-endian, as x64 and arm64 are.
 */

/** What the kernel is asked, before it has a sequence number. */
export interface NetlinkRequest {
  /** For errors: `add address 172.17.0.1/16 to skiff0`. */
  readonly what: string;
  readonly type: number;
  /** Without REQUEST and ACK, which the socket sets. */
  readonly flags: number;
  readonly body: Buffer;
}

export interface NetlinkMessage {
  readonly type: number;
  readonly sequence: number;
  readonly body: Buffer;
}

const headerBytes = 16;
export const messageFlags = {
  request: 0x1,
  ack: 0x4,
  dump: 0x300,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
} as const;
export const messageTypes = { error: 2, done: 3 } as const;

const nestedFlag = 0x8000;
const typeMask = 0x3fff;

export function encodeMessage(message: { type: number; flags: number; sequence: number; body: Buffer }): Buffer {
  const length = headerBytes + message.body.length;
  const bytes = Buffer.alloc(aligned(length));
  bytes.writeUInt32LE(length, 0);
  bytes.writeUInt16LE(message.type, 4);
  bytes.writeUInt16LE(message.flags, 6);
  bytes.writeUInt32LE(message.sequence, 8);
  message.body.copy(bytes, headerBytes);
  return bytes;
}

/** The messages of one datagram. Throws when a length points outside of it. */
export function* decodeMessages(bytes: Buffer): Generator<NetlinkMessage, void, void> {
  let at = 0;
  while (at + headerBytes <= bytes.length) {
    const length = bytes.readUInt32LE(at);
    if (length < headerBytes || at + length > bytes.length) throw new Error('a netlink message with a broken length');
    yield {
      type: bytes.readUInt16LE(at + 4),
      sequence: bytes.readUInt32LE(at + 8),
      body: bytes.subarray(at + headerBytes, at + length),
    };
    at += aligned(length);
  }
}

export function attribute(type: number, payload: Buffer): Buffer {
  const bytes = Buffer.alloc(aligned(4 + payload.length));
  bytes.writeUInt16LE(4 + payload.length, 0);
  bytes.writeUInt16LE(type, 2);
  payload.copy(bytes, 4);
  return bytes;
}

export function nested(type: number, attributes: readonly Buffer[]): Buffer {
  return attribute(type | nestedFlag, Buffer.concat(attributes));
}

/** Text as the kernel wants it, closed by a zero. */
export function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

export function uint8(value: number): Buffer {
  return Buffer.from([value]);
}

/** Attributes by their type; the last of a type counts. */
export function decodeAttributes(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const attributes = new Map<number, Buffer>();
  let at = 0;
  while (at + 4 <= bytes.length) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > bytes.length) throw new Error('a netlink attribute with a broken length');
    attributes.set(bytes.readUInt16LE(at + 2) & typeMask, bytes.subarray(at + 4, at + length));
    at += aligned(length);
  }
  return attributes;
}

export function decodeText(bytes: Buffer | undefined): string {
  if (bytes === undefined) return '';
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end === -1 ? bytes.length : end);
}

/**
 * The answer to a request: errno (0: done) and, where the kernel gives one, its reason in words.
 * `isCapped` says that the request is not repeated in the answer (source: NETLINK_CAP_ACK, NETLINK_EXT_ACK in netlink(7)).
 */
export function decodeError(body: Buffer): { readonly errno: number; readonly reason: string } {
  const errno = Math.abs(body.readInt32LE(0));
  const requestLength = body.length >= 4 + headerBytes ? body.readUInt32LE(4) : 0;
  const flags = body.length >= 4 + headerBytes ? body.readUInt16LE(4 + 6) : 0;
  const capped = 0x100;
  const hasReason = 0x200;
  if ((flags & hasReason) === 0) return { errno, reason: '' };
  const skipped = (flags & capped) !== 0 ? headerBytes : aligned(requestLength);
  return { errno, reason: decodeText(decodeAttributes(body.subarray(4 + skipped)).get(1)) };
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}
