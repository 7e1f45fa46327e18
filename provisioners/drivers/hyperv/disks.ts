import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MachineError } from '../../machines.ts';
import { isErrno, isThere, writeFileAtomic } from '../../store/atomic-file.ts';
import type { MachinePaths } from '../../store/home.ts';
import type { DriverMachine, DriverRun } from '../driver.ts';
import { seedOf } from '../vm/guest-seed.ts';
import type { Powershell } from './powershell.ts';
import { vhdxToRaw } from '../vm/read-vhdx.ts';
import { copyDisk } from './virtual-machine.ts';
import { diskOfBytes, emptyDisk, rawToVhdx, writeVhdx } from '../vm/write-vhdx.ts';

type Folder = Pick<MachinePaths, 'folder'>;

/** A machine's disks, all in its own folder, in the order in which they are attached. */
export const diskNames = ['system', 'data', 'seed'] as const;

const diskFile = ({ folder }: Folder, name: (typeof diskNames)[number]): string => join(folder, `${name}.vhdx`);

export const dataDiskOf = (paths: Folder): string => diskFile(paths, 'data');

export const disksOf = (paths: Folder): readonly string[] => diskNames.map((name) => diskFile(paths, name));

/** Every file that may be there: also those that a try that was cut off left half made. */
export function diskFilesOf(paths: Folder): readonly string[] {
  return disksOf(paths).flatMap((path) => [path, `${path}.new`, copyOf(path)]);
}

const copyOf = (path: string): string => path.replace(/\.vhdx$/, '.copy.vhdx');

/** Makes the data disk where there is none yet. */
export async function provideData(paths: Folder, sizeBytes: number, signal: AbortSignal): Promise<void> {
  const path = dataDiskOf(paths);
  if (!(await isThere(path))) await writeVhdx(path, emptyDisk(sizeBytes), signal);
}

/** The image that a machine's system disk is made of. */
export async function systemImageOf({ image }: DriverMachine, run: DriverRun): Promise<string> {
  if (image === null) throw new MachineError('internal', 'A Hyper-V machine is started without an image');
  return await image.bootableDisk(run);
}

/** Each machine has a copy: Hyper-V gives a disk to one machine at a time. It must not be attached. */
export async function writeSystem(paths: Folder, image: string, signal: AbortSignal): Promise<void> {
  await rawToVhdx(image, diskFile(paths, 'system'), signal);
}

/** Address and gateway come from the virtual switch's DHCP server. */
const seedBytes = (machine: DriverMachine): Buffer => seedOf(machine, { mode: 'dhcp' });

/** Whether the seed disk holds what it should. `paths.seed` says what it was made of. */
export async function isSeedSame(machine: DriverMachine): Promise<boolean> {
  try {
    return (
      (await readFile(machine.paths.seed)).equals(seedBytes(machine)) &&
      (await isThere(diskFile(machine.paths, 'seed')))
    );
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

/** It must not be attached. */
export async function writeSeed(machine: DriverMachine, signal: AbortSignal): Promise<void> {
  const bytes = seedBytes(machine);
  await writeVhdx(diskFile(machine.paths, 'seed'), diskOfBytes(bytes), signal);
  // It says what the disk holds, so it comes last.
  await writeFileAtomic(machine.paths.seed, bytes);
}

interface CopyRun {
  readonly powershell: Powershell;
  readonly signal: AbortSignal;
}

/** Writes the data disk of a stopped machine as a raw image. */
export async function readData(paths: Folder, raw: string, { powershell, signal }: CopyRun): Promise<void> {
  const from = dataDiskOf(paths);
  const copy = copyOf(from);
  try {
    await rm(copy, { force: true });
    await copyDisk(powershell, { from, to: copy, signal });
    await vhdxToRaw(copy, raw, signal);
  } finally {
    await rm(copy, { force: true });
  }
}

/** Takes a raw image as the data disk. It must not be attached. */
export async function takeData(paths: Folder, raw: string, signal: AbortSignal): Promise<void> {
  await rawToVhdx(raw, dataDiskOf(paths), signal);
  await rm(raw, { force: true });
}
