import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MachineError } from '../../machines.ts';
import { isErrno, isThere } from '../../store/atomic-file.ts';
import type { MachinePaths } from '../../store/home.ts';
import type { VBoxManage } from './vbox-manage.ts';
import { VBoxError } from './vbox-manage.ts';

/**
 * A machine's three disks as files of VirtualBox (VDI), all in the machine's own folder. VirtualBox keeps a register of disks by file
 * name and refuses a file whose inner id is not the one that it knows: before a file is replaced it is taken out of the register.
 */
export interface Media {
  /** Where VirtualBox itself writes: settings, logs, saved memory. */
  readonly folder: string;
  readonly system: string;
  readonly data: string;
  readonly seed: string;
}

export function mediaOf(paths: Pick<MachinePaths, 'folder'>): Media {
  const folder = join(paths.folder, 'virtualbox');
  const disk = (name: string): string => join(paths.folder, `${name}.vdi`);
  return { folder, system: disk('system'), data: disk('data'), seed: disk('seed') };
}

/** Every disk file that may be there or in VirtualBox's register: also those that a try that was cut off left half made. */
export function diskFilesOf({ system, data, seed }: Media): readonly string[] {
  return [system, data, seed].flatMap((path) => [path, halfMade(path)]);
}

const halfMade = (path: string): string => path.replace(/\.vdi$/, '.new.vdi');

const MiB = 1024 ** 2;
/** Time to copy a disk of many gigabytes. */
const copyMs = 60 * 60_000;

export interface MediaRun {
  readonly vbox: VBoxManage;
  readonly signal: AbortSignal;
}

/** Makes the data disk, or grows it; the guest grows its file system at the next boot. It is never made smaller. */
export async function provideData({ vbox, signal }: MediaRun, path: string, sizeBytes: number): Promise<void> {
  const sizeMiB = String(Math.ceil(sizeBytes / MiB));
  if (!(await isThere(path))) {
    // Under another name until it is whole.
    const making = await emptyPlace({ vbox, signal }, path);
    await vbox.run(['createmedium', 'disk', '--filename', making, '--size', sizeMiB, '--format', 'VDI'], { signal });
    await vbox.run(['closemedium', 'disk', making], { signal });
    await rename(making, path);
    return;
  }
  const said = await vbox.run(['showmediuminfo', 'disk', path], { signal });
  const capacity = /^Capacity:\s+(\d+) MBytes/m.exec(said)?.[1];
  if (capacity === undefined) throw new MachineError('internal', `VBoxManage does not tell the size of ${path}`);
  if (Number(capacity) < Number(sizeMiB))
    await vbox.run(['modifymedium', 'disk', path, '--resize', sizeMiB], { signal });
}

/** Has `path` hold what the raw image `raw` holds. It must not be attached. */
export async function convertRaw({ vbox, signal }: MediaRun, raw: string, path: string): Promise<void> {
  const making = await emptyPlace({ vbox, signal }, path);
  await vbox.run(['convertfromraw', raw, making, '--format', 'VDI'], { signal, timeoutMs: copyMs });
  await forget({ vbox, signal }, path);
  await rename(making, path);
}

export interface SeedDisk {
  readonly bytes: Buffer;
  /** Holds what the disk at `path` was made from. */
  readonly raw: string;
  readonly path: string;
}

export async function isSeedSame({ bytes, raw, path }: SeedDisk): Promise<boolean> {
  return (await isThere(path)) && (await readIfThere(raw))?.equals(bytes) === true;
}

/** It must not be attached. */
export async function writeSeedDisk(run: MediaRun, { bytes, raw, path }: SeedDisk): Promise<void> {
  // The raw file says what the disk holds, so it comes last.
  const making = `${raw}.new`;
  await writeFile(making, bytes, { mode: 0o600 });
  await convertRaw(run, making, path);
  await rename(making, raw);
}

/** Writes a disk as a raw image. */
export async function cloneToRaw({ vbox, signal }: MediaRun, path: string, raw: string): Promise<void> {
  await rm(raw, { force: true });
  const args = ['clonemedium', 'disk', path, raw, '--format', 'RAW', '--variant', 'Standard'];
  await vbox.run(args, { signal, timeoutMs: copyMs });
  await vbox.run(['closemedium', 'disk', raw], { signal });
}

/** Takes a disk out of VirtualBox's register; the file stays. Nothing when it is not in it. */
export async function forget({ vbox, signal }: MediaRun, path: string): Promise<void> {
  try {
    await vbox.run(['closemedium', 'disk', path], { signal });
  } catch (error) {
    const isUnknown =
      error instanceof VBoxError &&
      (error.result === 'VBOX_E_FILE_ERROR' || error.result === 'VBOX_E_OBJECT_NOT_FOUND');
    if (!isUnknown) throw error;
  }
}

async function emptyPlace(run: MediaRun, path: string): Promise<string> {
  const making = halfMade(path);
  // A try that was cut off may have left a half file, in the register or not.
  await forget(run, making);
  await rm(making, { force: true });
  return making;
}

async function readIfThere(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null;
    throw error;
  }
}
