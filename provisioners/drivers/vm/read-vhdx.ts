import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { MachineError } from '../../machines.ts';
import {
  entryIndex,
  fullyPresent,
  guidBytes,
  headerBytes,
  headerPlaces,
  isSealed,
  itemIds,
  KiB,
  regionIds,
  regionTableBytes,
  regionTablePlaces,
} from './vhdx-layout.ts';

interface Region {
  readonly offset: number;
  readonly length: number;
}

/**
 * Writes what a VHDX holds as a (sparse) raw image. Only for a disk without a parent whose file was closed: Hyper-V makes such a
 * copy of any disk (Convert-VHD). Throws MachineError for all others.
 */
export async function vhdxToRaw(path: string, raw: string, signal: AbortSignal): Promise<void> {
  await using file = await open(path, 'r');
  const broken = (why: string): MachineError => new MachineError('internal', `${path} cannot be read: ${why}`);
  const logGuid = await currentLogGuid(file);
  if (logGuid === null) throw broken('it is not a VHDX disk');
  if (logGuid.some((byte) => byte !== 0)) throw broken('it was not closed; start and stop its machine once');
  const regions = await readRegions(file);
  if (regions === null) throw broken('its region table is damaged');
  const facts = await readFacts(file, regions.metadata);
  if (facts === null) throw broken('its metadata are damaged');
  if (facts.hasParent) throw broken('it holds only what differs from another disk');
  const { blockBytes, diskBytes } = facts;
  const blockTable = await readAt(file, regions.blockTable);
  await using to = await open(raw, 'w', 0o600);
  await to.truncate(diskBytes);
  for (let block = 0; block * blockBytes < diskBytes; block++) {
    signal.throwIfAborted();
    const place = entryIndex(block, blockBytes) * 8;
    if (place + 8 > blockTable.length) throw broken('its block table is too short');
    const entry = blockTable.readBigUInt64LE(place);
    if (Number(entry & 7n) !== fullyPresent) continue;
    const length = Math.min(blockBytes, diskBytes - block * blockBytes);
    const bytes = await readAt(file, { offset: Number(entry & ~0xfffffn), length });
    await to.write(bytes, 0, length, block * blockBytes);
  }
  await to.sync();
}

/** Of the newer header; null when neither is valid. */
async function currentLogGuid(file: FileHandle): Promise<Buffer | null> {
  const headers = await Promise.all(headerPlaces.map((offset) => readAt(file, { offset, length: headerBytes })));
  const valid = headers.filter((header) => isSealed(header, 'head'));
  const newest = valid.sort((one, other) => (one.readBigUInt64LE(8) < other.readBigUInt64LE(8) ? 1 : -1))[0];
  return newest?.subarray(48, 64) ?? null;
}

async function readRegions(file: FileHandle): Promise<{ blockTable: Region; metadata: Region } | null> {
  for (const offset of regionTablePlaces) {
    const table = await readAt(file, { offset, length: regionTableBytes });
    if (!isSealed(table, 'regi')) continue;
    const count = Math.min(table.readUInt32LE(8), 2047);
    const find = (id: string): Region | null => {
      for (let at = 0; at < count; at++) {
        const entry = table.subarray(16 + at * 32, 48 + at * 32);
        if (guidBytes(id).equals(entry.subarray(0, 16)))
          return { offset: Number(entry.readBigUInt64LE(16)), length: entry.readUInt32LE(24) };
      }
      return null;
    };
    const [blockTable, metadata] = [find(regionIds.blockTable), find(regionIds.metadata)];
    if (blockTable !== null && metadata !== null) return { blockTable, metadata };
  }
  return null;
}

interface DiskFacts {
  readonly blockBytes: number;
  readonly diskBytes: number;
  readonly hasParent: boolean;
}

async function readFacts(file: FileHandle, metadata: Region): Promise<DiskFacts | null> {
  const table = await readAt(file, { offset: metadata.offset, length: 64 * KiB });
  if (table.toString('latin1', 0, 8) !== 'metadata') return null;
  const count = Math.min(table.readUInt16LE(10), 2047);
  const item = async (id: string): Promise<Buffer> => {
    for (let at = 0; at < count; at++) {
      const entry = table.subarray(32 + at * 32, 64 + at * 32);
      if (!guidBytes(id).equals(entry.subarray(0, 16))) continue;
      return await readAt(file, { offset: metadata.offset + entry.readUInt32LE(16), length: 8 });
    }
    return Buffer.alloc(0);
  };
  const [parameters, size] = [await item(itemIds.fileParameters), await item(itemIds.diskSize)];
  if (parameters.length < 8 || size.length < 8) return null;
  const blockBytes = parameters.readUInt32LE(0);
  if (blockBytes === 0) return null;
  return {
    blockBytes,
    diskBytes: Number(size.readBigUInt64LE(0)),
    hasParent: (parameters.readUInt32LE(4) & 2) !== 0,
  };
}

/** As many bytes as are there; the rest stays zero. */
async function readAt(file: FileHandle, { offset, length }: Region): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes;
}
