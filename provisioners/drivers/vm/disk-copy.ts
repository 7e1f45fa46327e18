import { execFile } from 'node:child_process';
import { constants, copyFile, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { MachineError } from '../../machines.ts';
import { isErrno, isThere, syncFolder } from '../../store/atomic-file.ts';
import type { DriverRun } from '../driver.ts';

const runProgram = promisify(execFile);

/** A disk may hold many gigabytes; a slow one copies fifty a second. */
const timeoutMs = 60 * 60_000;

/**
 * Copies a disk's file: by sharing its blocks where the file system can (btrfs, XFS, APFS), else only what is in it, for a disk is
 * mostly holes, and Node's own copy would fill them. `to` appears whole or not at all.
 */
export async function copyDisk(from: string, to: string, signal: AbortSignal): Promise<void> {
  const making = `${to}.new`;
  await rm(making, { force: true });
  try {
    if (!(await shareBlocks(from, making))) await copyWithHoles({ from, to: making, signal });
    await using file = await open(making, 'r+');
    await file.sync();
    await rename(making, to);
    await syncFolder(dirname(to));
  } catch (error) {
    await rm(making, { force: true });
    signal.throwIfAborted();
    if (isErrno(error, 'ENOSPC') || String(error).includes('No space left'))
      throw new MachineError('no-space', `There is no room for a copy of the disk at ${to}`, { cause: error });
    throw error;
  }
}

/**
 * Has a machine's own copy of the image's system disk at `path`; `isCurrent`: the copy that may be there is of this image. True when
 * it was copied anew, which the driver has to remember.
 */
export async function provideCopy(options: {
  readonly from: string;
  readonly path: string;
  readonly isCurrent: boolean;
  readonly run: DriverRun;
}): Promise<boolean> {
  const { from, path, isCurrent, run } = options;
  if (isCurrent && (await isThere(path))) return false;
  run.tell({ detail: 'writing the system disk' });
  await copyDisk(from, path, run.signal);
  return true;
}

async function shareBlocks(from: string, to: string): Promise<boolean> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch (error) {
    await rm(to, { force: true });
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOSPC')) throw error;
    return false;
  }
}

async function copyWithHoles(options: {
  readonly from: string;
  readonly to: string;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { from, to, signal } = options;
  if (process.platform === 'linux') {
    await runProgram('cp', ['--sparse=always', '--', from, to], { timeout: timeoutMs, signal });
    return;
  }
  // QEMU's formats on Windows know their holes by themselves; APFS has shared the blocks above.
  await copyFile(from, to);
}
