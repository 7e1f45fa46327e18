import type { PacketReader, PacketWriter } from './packets.ts';

/** What is known about a file, as `lstat` has it. Times in milliseconds, with fractions. */
export interface FileAttributes {
  /** Type and permissions, as `st_mode`. */
  readonly mode: number;
  readonly sizeBytes: number;
  /** Of the user's computer: tells whether a name still is the same file. */
  readonly inode: number;
  readonly links: number;
  /** Of 512 bytes. */
  readonly blocks: number;
  readonly accessedMs: number;
  readonly modifiedMs: number;
  readonly changedMs: number;
}

/** What is to become of a file; owners are not the user's computer's business. */
export interface AttributeChange {
  readonly sizeBytes?: number;
  readonly permissions?: number;
  /** `Infinity` is the present of the user's computer; NaN leaves it as it is. */
  readonly times?: { readonly accessedMs: number; readonly modifiedMs: number };
}

const flag = { size: 1, permissions: 4, times: 8, extended: 0x8000_0000 };
/** What version 3 has no room for: file identity, links, fractions of seconds. */
const statPair = 'stat@skiff';
const timesPair = 'times@skiff';
const statBytes = 44;

export function writeAttributes(packet: PacketWriter, file: FileAttributes): PacketWriter {
  return packet
    .u32(flag.size | flag.permissions | flag.times | flag.extended)
    .u64(file.sizeBytes)
    .u32(file.mode)
    .u32(Math.floor(file.accessedMs / 1000))
    .u32(Math.floor(file.modifiedMs / 1000))
    .u32(1)
    .text(statPair)
    .u32(statBytes)
    .double(file.inode)
    .u32(file.links)
    .double(file.blocks)
    .double(file.accessedMs)
    .double(file.modifiedMs)
    .double(file.changedMs);
}

/** Throws RangeError for attributes that lack what a file system needs. */
export function readAttributes(packet: PacketReader): FileAttributes {
  const needed = (flag.size | flag.permissions | flag.times | flag.extended) >>> 0;
  if (packet.u32() !== needed) throw new RangeError('attributes that are not complete');
  const sizeBytes = packet.u64();
  const mode = packet.u32();
  packet.u32();
  packet.u32();
  if (packet.u32() !== 1 || packet.text() !== statPair || packet.u32() !== statBytes)
    throw new RangeError('attributes of another kind');
  return {
    mode,
    sizeBytes,
    inode: packet.double(),
    links: packet.u32(),
    blocks: packet.double(),
    accessedMs: packet.double(),
    modifiedMs: packet.double(),
    changedMs: packet.double(),
  };
}

export function writeChange(packet: PacketWriter, { sizeBytes, permissions, times }: AttributeChange): PacketWriter {
  packet.u32(
    (sizeBytes === undefined ? 0 : flag.size) |
      (permissions === undefined ? 0 : flag.permissions) |
      (times === undefined ? 0 : flag.extended),
  );
  if (sizeBytes !== undefined) packet.u64(sizeBytes);
  if (permissions !== undefined) packet.u32(permissions);
  if (times !== undefined) packet.u32(1).text(timesPair).u32(16).double(times.accessedMs).double(times.modifiedMs);
  return packet;
}

export function readChange(packet: PacketReader): AttributeChange {
  const flags = packet.u32();
  const has = (one: number): boolean => (flags & one) !== 0;
  const sizeBytes = has(flag.size) ? packet.u64() : undefined;
  const permissions = has(flag.permissions) ? packet.u32() : undefined;
  let times: AttributeChange['times'];
  if (has(flag.extended)) {
    if (packet.u32() !== 1 || packet.text() !== timesPair || packet.u32() !== 16)
      throw new RangeError('a change of attributes of another kind');
    times = { accessedMs: packet.double(), modifiedMs: packet.double() };
  }
  return {
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    ...(permissions === undefined ? {} : { permissions }),
    ...(times === undefined ? {} : { times }),
  };
}
