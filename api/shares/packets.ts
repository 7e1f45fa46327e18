/**
 * The bytes of SFTP (version 3, draft-ietf-secsh-filexfer-02), as the file system in a machine asks the user's computer for shared
 * folders: pure, for both sides. Each packet is its length (4 bytes), a type (1), mostly an id (4) and fields; numbers are
 * big-endian, texts are byte strings (latin1, one character a byte), for a file's name need not be UTF-8.
 */
export const packetType = {
  init: 1,
  version: 2,
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  lstat: 7,
  setstat: 9,
  fsetstat: 10,
  remove: 13,
  mkdir: 14,
  rmdir: 15,
  readlink: 19,
  symlink: 20,
  status: 101,
  handle: 102,
  data: 103,
  name: 104,
  attrs: 105,
  extended: 200,
  extendedReply: 201,
} as const;

/** Extensions: OpenSSH's (its PROTOCOL file), and those of our own, which end with `@skiff`. */
export const extension = {
  rename: 'posix-rename@openssh.com',
  link: 'hardlink@openssh.com',
  fsync: 'fsync@openssh.com',
  statvfs: 'statvfs@openssh.com',
  /** A folder in one request: NAME packets with the request's id, then STATUS end-of-file. */
  list: 'list@skiff',
  /** Folders to watch, in the place of those before; what happens comes as EXTENDED_REPLY packets with `changesId`. */
  watch: 'watch@skiff',
} as const;

/** Of packets that answer no request. */
export const changesId = 0xffff_ffff;

export const protocolVersion = 3;

export const statusCode = { ok: 0, endOfFile: 1, failure: 4 } as const;

export const openFlag = { read: 1, write: 2, append: 4, create: 8, truncate: 16, exclusive: 32 } as const;

/** What a packet may have at most: a listing of 500 names, or as much data as the kernel writes at once, and room for the rest. */
export const mostPacketBytes = 1024 * 1024;
/** What one READ or WRITE carries at most. */
export const mostDataBytes = 256 * 1024;

/** Writes the fields of a packet one after the other; `bytes` has the length in front. */
export class PacketWriter {
  #buffer: Buffer;
  #at = 4;

  constructor(type: number, sizeHint = 256) {
    this.#buffer = Buffer.allocUnsafe(sizeHint + 5);
    this.#buffer[this.#at++] = type;
  }

  u32(value: number): this {
    this.#room(4);
    this.#at = this.#buffer.writeUInt32BE(value >>> 0, this.#at);
    return this;
  }

  u64(value: number): this {
    this.#room(8);
    this.#at = this.#buffer.writeBigUInt64BE(BigInt(Math.max(0, Math.trunc(value))), this.#at);
    return this;
  }

  double(value: number): this {
    this.#room(8);
    this.#at = this.#buffer.writeDoubleBE(value, this.#at);
    return this;
  }

  text(bytes: string): this {
    this.#room(4 + bytes.length);
    this.#at = this.#buffer.writeUInt32BE(bytes.length, this.#at);
    this.#at += this.#buffer.write(bytes, this.#at, 'latin1');
    return this;
  }

  data(bytes: Uint8Array): this {
    this.#room(4 + bytes.length);
    this.#at = this.#buffer.writeUInt32BE(bytes.length, this.#at);
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.length;
    return this;
  }

  /** `later` bytes follow that are sent by themselves. */
  bytes(later = 0): Buffer {
    this.#buffer.writeUInt32BE(this.#at - 4 + later, 0);
    return this.#buffer.subarray(0, this.#at);
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + bytes));
    this.#buffer.copy(larger);
    this.#buffer = larger;
  }
}

/** Reads fields in order; throws RangeError past the end. */
export class PacketReader {
  readonly #packet: Buffer;
  #at = 0;

  constructor(packet: Buffer) {
    this.#packet = packet;
  }

  get hasMore(): boolean {
    return this.#at < this.#packet.length;
  }

  u8(): number {
    return this.#packet.readUInt8(this.#at++);
  }

  u32(): number {
    this.#at += 4;
    return this.#packet.readUInt32BE(this.#at - 4);
  }

  u64(): number {
    this.#at += 8;
    return Number(this.#packet.readBigUInt64BE(this.#at - 8));
  }

  double(): number {
    this.#at += 8;
    return this.#packet.readDoubleBE(this.#at - 8);
  }

  text(): string {
    return this.data().toString('latin1');
  }

  /** A view of the packet, not a copy. */
  data(): Buffer {
    const length = this.u32();
    if (this.#at + length > this.#packet.length) throw new RangeError('a field reaches past the end of its packet');
    this.#at += length;
    return this.#packet.subarray(this.#at - length, this.#at);
  }
}

/** Cuts a stream into packets (without their length). Chunks may be cut anywhere. */
export class PacketSplitter {
  #chunks: Buffer[] = [];
  #heldBytes = 0;

  /** Those that `chunk` completes. Throws RangeError for one that is longer than any may be. */
  push(chunk: Buffer): readonly Buffer[] {
    this.#chunks.push(chunk);
    this.#heldBytes += chunk.length;
    const packets: Buffer[] = [];
    for (;;) {
      const length = this.#nextLength();
      if (length === null || this.#heldBytes < length + 4) return packets;
      const held = this.#chunks.length === 1 ? (this.#chunks[0] ?? chunk) : Buffer.concat(this.#chunks);
      packets.push(held.subarray(4, length + 4));
      const rest = held.subarray(length + 4);
      this.#chunks = rest.length === 0 ? [] : [rest];
      this.#heldBytes = rest.length;
    }
  }

  #nextLength(): number | null {
    if (this.#heldBytes < 4) return null;
    const [first] = this.#chunks;
    if (first === undefined || first.length < 4) this.#chunks = [Buffer.concat(this.#chunks)];
    const length = this.#chunks[0]?.readUInt32BE(0) ?? 0;
    if (length === 0 || length > mostPacketBytes) throw new RangeError(`a packet of ${length} bytes`);
    return length;
  }
}
