/** A GUID partition table (UEFI specification, chapter 5), written whole: the disk's first sectors and its last. */
import { crc32 } from 'node:zlib';

export const sectorBytes = 512;
const entryCount = 128;
const entryBytes = 128;
const tableSectors = (entryCount * entryBytes) / sectorBytes;

export interface Partition {
  /** GUID of its kind. */
  readonly type: string;
  readonly id: string;
  /** Linux gives it as PARTNAME. */
  readonly name: string;
  readonly firstSector: number;
  readonly sectors: number;
}

export interface PartitionTable {
  /** From the disk's beginning. */
  readonly start: Buffer;
  /** To the disk's end. */
  readonly end: Buffer;
}

export function writePartitionTable(disk: {
  readonly id: string;
  readonly sectors: number;
  readonly partitions: readonly Partition[];
}): PartitionTable {
  const lastSector = disk.sectors - 1;
  const entries = Buffer.alloc(tableSectors * sectorBytes);
  for (const [index, partition] of disk.partitions.entries())
    partitionEntry(partition).copy(entries, index * entryBytes);
  const header = (own: number, other: number, table: number): Buffer => {
    const bytes = Buffer.alloc(sectorBytes);
    bytes.write('EFI PART', 0, 'latin1');
    bytes.writeUInt32LE(0x00010000, 8);
    bytes.writeUInt32LE(92, 12); // length of the header
    bytes.writeBigUInt64LE(BigInt(own), 24);
    bytes.writeBigUInt64LE(BigInt(other), 32);
    bytes.writeBigUInt64LE(BigInt(2 + tableSectors), 40);
    bytes.writeBigUInt64LE(BigInt(lastSector - tableSectors - 1), 48);
    guid(disk.id).copy(bytes, 56);
    bytes.writeBigUInt64LE(BigInt(table), 72);
    bytes.writeUInt32LE(entryCount, 80);
    bytes.writeUInt32LE(entryBytes, 84);
    bytes.writeUInt32LE(crc32(entries), 88);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 92)), 16);
    return bytes;
  };
  return {
    start: Buffer.concat([protectiveRecord(disk.sectors), header(1, lastSector, 2), entries]),
    end: Buffer.concat([entries, header(lastSector, 1, lastSector - tableSectors)]),
  };
}

/** Tells programs that know no GUID partition table that the whole disk is taken. */
function protectiveRecord(sectors: number): Buffer {
  const bytes = Buffer.alloc(sectorBytes);
  bytes.set([0x00, 0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff], 446);
  bytes.writeUInt32LE(1, 454);
  bytes.writeUInt32LE(Math.min(sectors - 1, 0xffffffff), 458);
  bytes.writeUInt16LE(0xaa55, 510);
  return bytes;
}

function partitionEntry({ type, id, name, firstSector, sectors }: Partition): Buffer {
  const bytes = Buffer.alloc(entryBytes);
  guid(type).copy(bytes, 0);
  guid(id).copy(bytes, 16);
  bytes.writeBigUInt64LE(BigInt(firstSector), 32);
  bytes.writeBigUInt64LE(BigInt(firstSector + sectors - 1), 40);
  bytes.write(name, 56, 72, 'utf16le');
  return bytes;
}

/** The first three groups of a GUID are written with their last byte first. */
export function guid(text: string): Buffer {
  const bytes = Buffer.from(text.replaceAll('-', ''), 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}
