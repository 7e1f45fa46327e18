/**
 * The bytes that the kernel and a file system in user space exchange over /dev/fuse (source: Linux, include/uapi/linux/fuse.h,
 * version 7.31): little-endian structures, one a read and one a write. Pure.
 */
export const opcode = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  readlink: 5,
  symlink: 6,
  mknod: 8,
  mkdir: 9,
  unlink: 10,
  rmdir: 11,
  rename: 12,
  link: 13,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  fsync: 20,
  flush: 25,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  fsyncdir: 30,
  create: 35,
  interrupt: 36,
  destroy: 38,
  batchForget: 42,
  readdirplus: 44,
  rename2: 45,
} as const;

/** What FATTR_… bits of a SETATTR mean. */
const attributeBit = {
  mode: 1,
  uid: 2,
  gid: 4,
  size: 8,
  accessed: 16,
  modified: 32,
  handle: 64,
  accessedNow: 128,
  modifiedNow: 256,
} as const;

/** What a SETATTR asks for; times as in `AttributeChange`. */
export interface KernelChange {
  readonly uid: number | null;
  readonly gid: number | null;
  readonly sizeBytes: number | null;
  /** Of the open file that is cut; null: by its name. */
  readonly handle: number | null;
  readonly permissions: number | null;
  readonly times: { readonly accessedMs: number; readonly modifiedMs: number } | null;
}

export function readChange(body: Buffer): KernelChange {
  const valid = body.readUInt32LE(0);
  const when = <T>(bit: number, value: () => T): T | null => ((valid & bit) === 0 ? null : value());
  const timeAt = (at: number, nanosecondsAt: number): number =>
    Number(body.readBigInt64LE(at)) * 1000 + body.readUInt32LE(nanosecondsAt) / 1e6;
  const time = (set: number, now: number, value: () => number): number =>
    when(now, () => Infinity) ?? when(set, value) ?? NaN;
  return {
    uid: when(attributeBit.uid, () => body.readUInt32LE(76)),
    gid: when(attributeBit.gid, () => body.readUInt32LE(80)),
    sizeBytes: when(attributeBit.size, () => readU64(body, 16)),
    handle: when(attributeBit.handle, () => readU64(body, 8)),
    permissions: when(attributeBit.mode, () => body.readUInt32LE(68) & 0o7777),
    times: when(attributeBit.accessed | attributeBit.modified, () => ({
      accessedMs: time(attributeBit.accessed, attributeBit.accessedNow, () => timeAt(32, 56)),
      modifiedMs: time(attributeBit.modified, attributeBit.modifiedNow, () => timeAt(40, 60)),
    })),
  };
}

export const openedFlag = { directIo: 1, keepCache: 2 } as const;

export interface FuseRequest {
  readonly opcode: number;
  readonly unique: bigint;
  readonly node: number;
  /** Who asks. */
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  readonly body: Buffer;
}

const headerBytes = 40;

/** `message` is one read. */
export function readRequest(message: Buffer): FuseRequest {
  return {
    opcode: message.readUInt32LE(4),
    unique: message.readBigUInt64LE(8),
    node: readU64(message, 16),
    uid: message.readUInt32LE(24),
    gid: message.readUInt32LE(28),
    pid: message.readUInt32LE(32),
    body: message.subarray(headerBytes),
  };
}

/** The header of an answer that `bodyBytes` follow; `errno` 0 or positive. */
export function answerHeader(unique: bigint, answer: { readonly errno?: number; readonly bodyBytes?: number }): Buffer {
  const { errno = 0, bodyBytes = 0 } = answer;
  const header = Buffer.allocUnsafe(16);
  header.writeUInt32LE(16 + bodyBytes, 0);
  header.writeInt32LE(-errno, 4);
  header.writeBigUInt64LE(unique, 8);
  return header;
}

/** What the kernel is told of a file. */
export interface KernelAttributes {
  readonly inode: number;
  readonly sizeBytes: number;
  readonly blocks: number;
  readonly accessedMs: number;
  readonly modifiedMs: number;
  readonly changedMs: number;
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
}

const attributeBytes = 88;
export const entryBytes = 40 + attributeBytes;

export function writeEntry(
  entry: {
    readonly node: number;
    readonly attributes: KernelAttributes;
    readonly nameMs: number;
    readonly attributesMs: number;
  },
  into: Buffer = Buffer.alloc(entryBytes),
  at = 0,
): Buffer {
  writeU64(into, entry.node, at);
  writeU64(into, 0, at + 8);
  writeU64(into, Math.floor(entry.nameMs / 1000), at + 16);
  writeU64(into, Math.floor(entry.attributesMs / 1000), at + 24);
  into.writeUInt32LE((entry.nameMs % 1000) * 1e6, at + 32);
  into.writeUInt32LE((entry.attributesMs % 1000) * 1e6, at + 36);
  writeAttributes(entry.attributes, into, at + 40);
  return into;
}

/** That there is nothing of that name, which the kernel may remember for a while. */
export function writeNoEntry(nameMs: number): Buffer {
  const into = Buffer.alloc(entryBytes);
  writeU64(into, Math.floor(nameMs / 1000), 16);
  into.writeUInt32LE((nameMs % 1000) * 1e6, 32);
  return into;
}

export function writeAttributesAnswer(attributes: KernelAttributes, validMs: number): Buffer {
  const into = Buffer.alloc(16 + attributeBytes);
  writeU64(into, Math.floor(validMs / 1000), 0);
  into.writeUInt32LE((validMs % 1000) * 1e6, 8);
  writeAttributes(attributes, into, 16);
  return into;
}

export function writeOpened(handle: number, flags: number): Buffer {
  const into = Buffer.alloc(16);
  writeU64(into, handle, 0);
  into.writeUInt32LE(flags, 8);
  return into;
}

function writeAttributes(file: KernelAttributes, into: Buffer, at: number): void {
  writeU64(into, file.inode, at);
  writeU64(into, file.sizeBytes, at + 8);
  writeU64(into, file.blocks, at + 16);
  for (const [index, ms] of [file.accessedMs, file.modifiedMs, file.changedMs].entries()) {
    const seconds = Math.floor(ms / 1000);
    into.writeBigInt64LE(BigInt(seconds), at + 24 + 8 * index);
    into.writeUInt32LE(Math.floor((ms - seconds * 1000) * 1e6), at + 48 + 4 * index);
  }
  into.writeUInt32LE(file.mode, at + 60);
  into.writeUInt32LE(file.links, at + 64);
  into.writeUInt32LE(file.uid, at + 68);
  into.writeUInt32LE(file.gid, at + 72);
  into.writeUInt32LE(0, at + 76);
  into.writeUInt32LE(4096, at + 80);
  into.writeUInt32LE(0, at + 84);
}

/** Of the file system below, in its own blocks. */
export interface FreeSpace {
  readonly blockBytes: number;
  readonly blocks: number;
  readonly free: number;
  readonly available: number;
  readonly files: number;
  readonly freeFiles: number;
}

export function writeSpace(space: FreeSpace): Buffer {
  const answer = Buffer.alloc(80);
  const { blocks, free, available, files, freeFiles } = space;
  for (const [index, value] of [blocks, free, available, files, freeFiles].entries())
    writeU64(answer, value, index * 8);
  answer.writeUInt32LE(space.blockBytes, 40);
  answer.writeUInt32LE(255, 44);
  answer.writeUInt32LE(space.blockBytes, 48);
  return answer;
}

export interface DirectoryEntry {
  readonly inode: number;
  /** Latin1. */
  readonly name: string;
  readonly mode: number;
  /** Where reading goes on behind it. */
  readonly next: number;
}

export function directoryEntryBytes(name: string): number {
  return (24 + name.length + 7) & ~7;
}

export function writeDirectoryEntry(entry: DirectoryEntry, into: Buffer, at: number): void {
  writeU64(into, entry.inode, at);
  writeU64(into, entry.next, at + 8);
  into.writeUInt32LE(entry.name.length, at + 16);
  into.writeUInt32LE((entry.mode & 0o170000) >>> 12, at + 20);
  into.write(entry.name, at + 24, 'latin1');
  into.fill(0, at + 24 + entry.name.length, at + directoryEntryBytes(entry.name));
}

/** Features: reads side by side, large writes, truncation with open, pages dropped when a file changed, names with attributes, many pages. */
const wantedFeatures =
  (1 << 0) | (1 << 3) | (1 << 5) | (1 << 12) | (1 << 13) | (1 << 14) | (1 << 15) | (1 << 18) | (1 << 22);

/** Null for a kernel that is too old (before 4.20, 7.28). */
export function answerInit(body: Buffer, most: { readonly dataBytes: number }): Buffer | null {
  const [major, minor, readahead, offered] = [0, 4, 8, 12].map((at) => body.readUInt32LE(at));
  if (major !== 7 || (minor ?? 0) < 28) return null;
  const answer = Buffer.alloc(64);
  answer.writeUInt32LE(7, 0);
  answer.writeUInt32LE(31, 4);
  answer.writeUInt32LE(Math.max(readahead ?? 0, 1024 * 1024), 8);
  answer.writeUInt32LE((wantedFeatures & (offered ?? 0)) >>> 0, 12);
  answer.writeUInt16LE(64, 16);
  answer.writeUInt16LE(48, 18);
  answer.writeUInt32LE(most.dataBytes, 20);
  answer.writeUInt32LE(1, 24);
  answer.writeUInt16LE(most.dataBytes / 4096, 28);
  return answer;
}

/** A message that answers nothing: `code` of FUSE_NOTIFY_…. */
export function notifyForgetEntry(parent: number, name: string): Buffer {
  const message = Buffer.alloc(16 + 16 + name.length + 1);
  message.writeUInt32LE(message.length, 0);
  message.writeInt32LE(3, 4);
  writeU64(message, parent, 16);
  message.writeUInt32LE(name.length, 24);
  message.write(name, 32, 'latin1');
  return message;
}

export function notifyForgetContents(node: number): Buffer {
  const message = Buffer.alloc(16 + 24);
  message.writeUInt32LE(message.length, 0);
  message.writeInt32LE(2, 4);
  writeU64(message, node, 16);
  return message;
}

export function readU64(from: Buffer, at: number): number {
  return from.readUInt32LE(at) + from.readUInt32LE(at + 4) * 2 ** 32;
}

export function writeU64(into: Buffer, value: number, at: number): void {
  into.writeUInt32LE(value % 2 ** 32, at);
  into.writeUInt32LE(Math.floor(value / 2 ** 32) >>> 0, at + 4);
}

/** A name that ends with NUL, as latin1. */
export function readName(body: Buffer, at: number): string {
  const end = body.indexOf(0, at);
  return body.toString('latin1', at, end === -1 ? body.length : end);
}
