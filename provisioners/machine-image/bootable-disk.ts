/**
 * The machine image as one disk that EFI firmware boots by itself, for hypervisors that cannot be given a kernel: an EFI system
 * partition with the unified kernel image (unified-kernel.ts), and the read-only system behind it. It is put together from files of the
 * image, on any computer and without other programs, the first time that a driver asks for it, and kept beside them.
 */
import { createReadStream } from 'node:fs';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { MachineError } from '../machines.ts';
import { isErrno, readIfThere, syncFolder, writeFileAtomic } from '../store/atomic-file.ts';
import { lockImage, parseJson } from './cache.ts';
import { writeFatVolume } from './fat-volume.ts';
import { sectorBytes, writePartitionTable } from './partition-table.ts';
import { type Architecture, architectureNames } from './recipe.ts';

/** Fixed: a random one would make every disk differ. Nothing looks for the system by them, but by its partition's name. */
const ids = {
  disk: '5c1f0001-5eed-4000-8000-736b69666600',
  boot: '5c1f0002-5eed-4000-8000-736b69666600',
  system: '5c1f0003-5eed-4000-8000-736b69666600',
} as const;
const partitionTypes = {
  efiSystem: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
  linux: '0fc63daf-8483-4772-8e79-3d69d8477de4',
} as const;
/** The initial root finds the system by it. */
const systemPartition = 'skiff-system';

const mebibyte = 1024 ** 2;
const sectorsPerMiB = mebibyte / sectorBytes;

export interface DiskParts {
  readonly arch: Architecture;
  /** Unified kernel image. */
  readonly kernelFile: string;
  /** The read-only system. */
  readonly systemFile: string;
}

/** Writes the disk to `path`, which must not be there. Whole mebibytes; the same parts give the same bytes. */
export async function writeBootableDisk(path: string, parts: DiskParts, signal: AbortSignal): Promise<void> {
  const boot = writeFatVolume({
    // Where firmware looks that has no entry of its own for this disk (UEFI specification, 3.5.1.1).
    path: ['EFI', 'BOOT', `BOOT${architectureNames[parts.arch].efi.toUpperCase()}.EFI`],
    data: await readFile(parts.kernelFile),
    firstSector: sectorsPerMiB,
  });
  const systemAt = mebibyte + boot.length;
  const systemBytes = Math.ceil((await stat(parts.systemFile)).size / mebibyte) * mebibyte;
  // The last mebibyte holds the copy of the partition table.
  const sizeBytes = systemAt + systemBytes + mebibyte;
  const table = writePartitionTable({
    id: ids.disk,
    sectors: sizeBytes / sectorBytes,
    partitions: [
      {
        type: partitionTypes.efiSystem,
        id: ids.boot,
        name: 'skiff-boot',
        firstSector: sectorsPerMiB,
        sectors: boot.length / sectorBytes,
      },
      {
        type: partitionTypes.linux,
        id: ids.system,
        name: systemPartition,
        firstSector: systemAt / sectorBytes,
        sectors: systemBytes / sectorBytes,
      },
    ],
  });
  await using file = await open(path, 'wx');
  await file.write(table.start, 0, table.start.length, 0);
  await file.write(boot, 0, boot.length, mebibyte);
  let at = systemAt;
  for await (const chunk of createReadStream(parts.systemFile, { highWaterMark: mebibyte, signal })) {
    const bytes = chunk as Buffer;
    await file.write(bytes, 0, bytes.length, at);
    at += bytes.length;
  }
  await file.write(table.end, 0, table.end.length, sizeBytes - table.end.length);
  await file.sync();
}

/** Noted when a disk is whole: one that is not as long and as old any more is made again, of parts that are verified by digest. */
const madeSchema = z.object({ sizeBytes: z.number(), mtimeMs: z.number() });

const waitMs = 10 * 60_000;

export interface WantedDisk {
  /** Of the image. */
  readonly folder: string;
  readonly parts: DiskParts;
}

export interface DiskRun {
  readonly tell: (progress: { readonly detail?: string }) => void;
  readonly signal: AbortSignal;
}

/** Path of the disk in the image's folder; made there by one process while others wait. */
export async function ensureBootableDisk({ folder, parts }: WantedDisk, run: DiskRun): Promise<string> {
  const path = join(folder, 'disk.raw');
  if (await isWhole(path)) return path;
  const { tell, signal } = run;
  await using _lock = await lockImage({
    images: dirname(folder),
    name: `${basename(folder)}-disk`,
    timeoutMs: waitMs,
    signal,
    onWait: () => tell({ detail: 'waiting for another Skiff that is making its system disk' }),
  });
  if (await isWhole(path)) return path;
  tell({ detail: 'making its system disk' });
  const making = `${path}.new`;
  try {
    await rm(making, { force: true });
    await writeBootableDisk(making, parts, signal);
    await rename(making, path);
    await syncFolder(folder);
    await noteWhole(path);
  } catch (error) {
    await rm(making, { force: true });
    throw isErrno(error, 'ENOSPC')
      ? new MachineError('no-space', `There is no space left for the machine's system disk in ${folder}.`, {
          cause: error,
        })
      : error;
  }
  return path;
}

async function isWhole(path: string): Promise<boolean> {
  const noted = madeSchema.safeParse(parseJson((await readIfThere(noteOf(path))) ?? 'null'));
  if (!noted.success) return false;
  try {
    const { size, mtimeMs } = await stat(path);
    return size === noted.data.sizeBytes && mtimeMs === noted.data.mtimeMs;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

async function noteWhole(path: string): Promise<void> {
  const { size: sizeBytes, mtimeMs } = await stat(path);
  await writeFileAtomic(noteOf(path), `${JSON.stringify({ sizeBytes, mtimeMs })}\n`);
}

const noteOf = (path: string): string => `${path}.json`;
