/**
 * VHDX, the disk file of Hyper-V, as far as a dynamic disk without a parent needs it (MS-VHDX 2). All numbers are little-endian:
 *
 *     0        file identifier
 *     64 KiB   header 1, 128 KiB header 2: the valid one with the larger sequence number counts
 *     192 KiB  region table, and a copy at 256 KiB: where the block table and the metadata lie
 *     1 MiB    log (empty when the file was closed)
 *     ...      block table (one entry a block, in groups with an entry for bitmaps behind each), metadata, blocks
 */
export const KiB = 1024;
export const MiB = 1024 ** 2;

export const headerPlaces = [64 * KiB, 128 * KiB] as const;
export const headerBytes = 4 * KiB;
export const regionTablePlaces = [192 * KiB, 256 * KiB] as const;
export const regionTableBytes = 64 * KiB;
export const sectorBytes = 512;

export const regionIds = {
  blockTable: '2dc27766-f623-4200-9d64-115e9bfd4a08',
  metadata: '8b7ca206-4790-4b9a-b8fe-575f050f886e',
} as const;

export const itemIds = {
  fileParameters: 'caa16737-fa36-4d43-b3b6-33f0aa44e76b',
  diskSize: '2fa54224-cd1b-4876-b211-5dbed83bf4b8',
  diskId: 'beca12ab-b2e6-4523-93ef-c309e000c746',
  logicalSector: '8141bf1d-a96f-4709-ba47-f233a8faab5f',
  physicalSector: 'cda348c7-445d-4471-9cc9-e9885251c556',
} as const;

/** State of a block whose bytes are in the file; all other states of a disk without a parent read as zeros. */
export const fullyPresent = 6;

/** Blocks in front of each entry for bitmaps. */
export function chunkRatio(blockBytes: number): number {
  return (2 ** 23 * sectorBytes) / blockBytes;
}

/** Where a block's entry stands in the block table, in entries. */
export function entryIndex(block: number, blockBytes: number): number {
  return block + Math.floor(block / chunkRatio(blockBytes));
}

/** A GUID as the file holds it: its first three parts are little-endian numbers. */
export function guidBytes(guid: string): Buffer {
  const bytes = Buffer.from(guid.replaceAll('-', ''), 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

/** CRC-32C (Castagnoli), which Node's zlib does not have. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] ?? 0);
  return (crc ^ 0xffffffff) >>> 0;
}

const checksumPlace = 4;

/** Headers and region tables carry their checksum in their own second word, counted as zero. */
export function seal(structure: Buffer): Buffer {
  structure.writeUInt32LE(0, checksumPlace);
  structure.writeUInt32LE(crc32c(structure), checksumPlace);
  return structure;
}

export function isSealed(structure: Buffer, signature: string): boolean {
  if (structure.toString('latin1', 0, signature.length) !== signature) return false;
  const copy = Buffer.from(structure);
  return seal(copy).readUInt32LE(checksumPlace) === structure.readUInt32LE(checksumPlace);
}
