/**
 * A *recipe* is a layer's tar with the contents of its files taken out: what the tree of files cannot tell (the order of
 * entries, their headers byte for byte, padding, what stands behind the end). With the tree it gives the tar again.
 *
 * The file: a magic line, then blocks (32 bits of length, zstd). A block holds whole records: 32 bits of length, so many
 * bytes of the tar as they are; 64 bits: so many bytes of content left out there. Little endian.
 */
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { constants as zlib, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { internal } from '../../model/errors.ts';

const magic = Buffer.from('skiff recipe 1\n');
const blockBytes = 256 * 1024;
const lengthBytes = 4;
const holeBytes = 8;
const parameters = { [zlib.ZSTD_c_compressionLevel]: 1 };

export class RecipeWriter implements Disposable {
  readonly #fd: number;
  #block = Buffer.allocUnsafeSlow(blockBytes);
  /** Where the record that is being written begins, and where its next byte goes. */
  #record = 0;
  #at = lengthBytes;
  #sizeBytes = 0;

  /** `file`: absolute; must not be there yet. */
  constructor(file: string) {
    this.#fd = openSync(file, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
    this.#put(magic);
  }

  /** Of the file so far. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Bytes of the tar that are kept as they are. */
  keep(bytes: Buffer): void {
    for (let done = 0; done < bytes.length;) {
      const room = blockBytes - holeBytes - this.#at;
      if (room <= 0) {
        this.#endRecord(0);
        this.#flush();
        continue;
      }
      const copied = bytes.copy(this.#block, this.#at, done, done + room);
      this.#at += copied;
      done += copied;
    }
  }

  /** Bytes of the tar that stand in the tree. */
  leaveOut(count: number): void {
    this.#endRecord(count);
    if (this.#at + lengthBytes + holeBytes >= blockBytes) this.#flush();
  }

  /** Writes what is left. */
  end(): void {
    if (this.#at > this.#record + lengthBytes) this.#endRecord(0);
    if (this.#record > 0) this.#flush();
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  #endRecord(left: number): void {
    this.#block.writeUInt32LE(this.#at - this.#record - lengthBytes, this.#record);
    this.#block.writeBigUInt64LE(BigInt(left), this.#at);
    this.#record = this.#at + holeBytes;
    this.#at = this.#record + lengthBytes;
  }

  #flush(): void {
    const packed = zstdCompressSync(this.#block.subarray(0, this.#record), { params: parameters });
    const length = Buffer.alloc(lengthBytes);
    length.writeUInt32LE(packed.length);
    this.#put(length);
    this.#put(packed);
    this.#record = 0;
    this.#at = lengthBytes;
  }

  #put(bytes: Buffer): void {
    for (let done = 0; done < bytes.length;) done += writeSync(this.#fd, bytes, done);
    this.#sizeBytes += bytes.length;
  }
}

export interface RecipeRecord {
  readonly kept: Buffer;
  readonly leftOutBytes: number;
}

/** Reads synchronously, block by block. Throws `internal` for a file that is none. */
export function* readRecipe(file: string): Generator<RecipeRecord, void, void> {
  const fd = openSync(file, constants.O_RDONLY);
  const broken = (): Error => internal(`${file} is broken: the layer's tar cannot be put together from it`);
  const read = (count: number): Buffer => {
    const bytes = Buffer.allocUnsafe(count);
    let have = 0;
    for (let got = 1; have < count && got > 0; have += got) got = readSync(fd, bytes, have, count - have, null);
    return bytes.subarray(0, have);
  };
  try {
    if (!read(magic.length).equals(magic)) throw broken();
    for (let length = read(lengthBytes); length.length > 0; length = read(lengthBytes)) {
      if (length.length < lengthBytes) throw broken();
      const packed = read(length.readUInt32LE());
      if (packed.length < length.readUInt32LE()) throw broken();
      yield* records(zstdDecompressSync(packed, { maxOutputLength: blockBytes }));
    }
  } finally {
    closeSync(fd);
  }
}

function* records(block: Buffer): Generator<RecipeRecord, void, void> {
  for (let at = 0; at < block.length;) {
    const from = at + lengthBytes;
    const to = from + block.readUInt32LE(at);
    yield { kept: block.subarray(from, to), leftOutBytes: Number(block.readBigUInt64LE(to)) };
    at = to + holeBytes;
  }
}
