import { randomUUID } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MachineError } from '../../machines.ts';
import { isErrno, syncFolder } from '../../store/atomic-file.ts';
import {
  chunkRatio,
  entryIndex,
  fullyPresent,
  guidBytes,
  headerBytes,
  headerPlaces,
  itemIds,
  KiB,
  MiB,
  regionIds,
  regionTableBytes,
  regionTablePlaces,
  seal,
  sectorBytes,
} from './vhdx-layout.ts';

/** Small ones: a Linux file system writes all over its disk, and a block takes its whole size. */
const blockBytes = 1 * MiB;
const log = { offset: 1 * MiB, length: 1 * MiB } as const;
const blockTableOffset = 2 * MiB;

/** Bytes of a disk, read as they are asked for. */
export interface DiskSource {
  readonly sizeBytes: number;
  /** How many bytes it has put into the buffer; 0: all that was asked for, and is not there yet, is zero. */
  readonly read: (buffer: Buffer, position: number) => Promise<number>;
}

/**
 * Writes a dynamic VHDX that holds what the source holds; what is zero takes no space. `path` appears whole or not at all, mode 0600.
 * The disk's size is the source's, made whole sectors.
 */
export async function writeVhdx(path: string, source: DiskSource, signal: AbortSignal): Promise<void> {
  const making = `${path}.new`;
  try {
    await using file = await open(making, 'w', 0o600);
    await writeDisk(file, source, signal);
    await file.sync();
  } catch (error) {
    await rm(making, { force: true });
    if (isErrno(error, 'ENOSPC')) throw new MachineError('no-space', `No space left for ${path}`, { cause: error });
    throw error;
  }
  await rename(making, path);
  await syncFolder(dirname(path));
}

/** Like writeVhdx, from a raw image. */
export async function rawToVhdx(raw: string, path: string, signal: AbortSignal): Promise<void> {
  await using file = await open(raw, 'r');
  const { size } = await file.stat();
  const read = async (buffer: Buffer, position: number): Promise<number> =>
    (await file.read(buffer, 0, buffer.length, position)).bytesRead;
  await writeVhdx(path, { sizeBytes: size, read }, signal);
}

export function diskOfBytes(bytes: Buffer): DiskSource {
  return {
    sizeBytes: bytes.length,
    read: (buffer, position) => Promise.resolve(bytes.copy(buffer, 0, position)),
  };
}

export function emptyDisk(sizeBytes: number): DiskSource {
  return { sizeBytes, read: () => Promise.resolve(0) };
}

async function writeDisk(file: FileHandle, source: DiskSource, signal: AbortSignal): Promise<void> {
  const diskBytes = Math.ceil(source.sizeBytes / sectorBytes) * sectorBytes;
  const blocks = Math.ceil(diskBytes / blockBytes);
  const lastEntry = blocks + Math.floor(Math.max(0, blocks - 1) / chunkRatio(blockBytes));
  const blockTable = Buffer.alloc(wholeMebibytes(lastEntry * 8));
  const metadataOffset = blockTableOffset + blockTable.length;
  let end = metadataOffset + MiB;
  const block = Buffer.alloc(blockBytes);
  for (let at = 0; at < blocks; at++) {
    signal.throwIfAborted();
    const count = await fill(block, source, at * blockBytes);
    if (count === 0 || block.equals(zeros)) continue;
    await file.write(block, 0, block.length, end);
    blockTable.writeBigUInt64LE(BigInt(end) | BigInt(fullyPresent), entryIndex(at, blockBytes) * 8);
    end += blockBytes;
  }
  const write = (bytes: Buffer, place: number): Promise<unknown> => file.write(bytes, 0, bytes.length, place);
  await write(fileIdentifier(), 0);
  for (const [at, place] of headerPlaces.entries()) await write(header(at), place);
  const regions = regionTable([
    [regionIds.blockTable, blockTableOffset, blockTable.length],
    [regionIds.metadata, metadataOffset, MiB],
  ]);
  for (const place of regionTablePlaces) await write(regions, place);
  await write(blockTable, blockTableOffset);
  await write(metadata(diskBytes), metadataOffset);
  // The last region may be one that holds no bytes yet.
  await file.truncate(end);
}

const zeros = Buffer.alloc(blockBytes);

async function fill(block: Buffer, source: DiskSource, position: number): Promise<number> {
  let done = 0;
  for (let count = -1; count !== 0 && done < block.length; done += count)
    count = await source.read(block.subarray(done), position + done);
  if (done > 0) block.fill(0, done);
  return done;
}

function wholeMebibytes(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / MiB)) * MiB;
}

function fileIdentifier(): Buffer {
  const identifier = Buffer.alloc(64 * KiB);
  identifier.write('vhdxfile', 0, 'latin1');
  identifier.write('Skiff', 8, 'utf16le');
  return identifier;
}

function header(sequence: number): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  bytes.write('head', 0, 'latin1');
  bytes.writeBigUInt64LE(BigInt(sequence), 8);
  // FileWriteGuid and DataWriteGuid tell whether the file was changed; an empty LogGuid, that no log is to be replayed.
  guidBytes(randomUUID()).copy(bytes, 16);
  guidBytes(randomUUID()).copy(bytes, 32);
  bytes.writeUInt16LE(1, 66);
  bytes.writeUInt32LE(log.length, 68);
  bytes.writeBigUInt64LE(BigInt(log.offset), 72);
  return seal(bytes);
}

function regionTable(regions: readonly (readonly [id: string, offset: number, length: number])[]): Buffer {
  const bytes = Buffer.alloc(regionTableBytes);
  bytes.write('regi', 0, 'latin1');
  bytes.writeUInt32LE(regions.length, 8);
  for (const [at, [id, offset, length]] of regions.entries()) {
    const entry = bytes.subarray(16 + at * 32);
    guidBytes(id).copy(entry, 0);
    entry.writeBigUInt64LE(BigInt(offset), 16);
    entry.writeUInt32LE(length, 24);
    entry.writeUInt32LE(1, 28);
  }
  return seal(bytes);
}

/** Flags of an item: 2, it is of the disk and not of the file; 4, who does not know it must not open the file. */
function metadata(diskBytes: number): Buffer {
  const parameters = Buffer.alloc(8);
  parameters.writeUInt32LE(blockBytes, 0);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(diskBytes));
  const sector = Buffer.alloc(4);
  sector.writeUInt32LE(sectorBytes);
  const items: readonly (readonly [id: string, flags: number, data: Buffer])[] = [
    [itemIds.fileParameters, 4, parameters],
    [itemIds.diskSize, 6, size],
    [itemIds.diskId, 6, guidBytes(randomUUID())],
    [itemIds.logicalSector, 6, sector],
    [itemIds.physicalSector, 6, sector],
  ];
  const bytes = Buffer.alloc(MiB);
  bytes.write('metadata', 0, 'latin1');
  bytes.writeUInt16LE(items.length, 10);
  let place = 64 * KiB;
  for (const [at, [id, flags, data]] of items.entries()) {
    const entry = bytes.subarray(32 + at * 32);
    guidBytes(id).copy(entry, 0);
    entry.writeUInt32LE(place, 16);
    entry.writeUInt32LE(data.length, 20);
    entry.writeUInt32LE(flags, 24);
    data.copy(bytes, place);
    place += data.length;
  }
  return bytes;
}
