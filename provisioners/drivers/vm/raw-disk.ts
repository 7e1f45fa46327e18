import { open, rename, stat } from 'node:fs/promises';
import { MachineError } from '../../machines.ts';
import { isErrno } from '../../store/atomic-file.ts';

/**
 * Makes a raw data disk, or grows it to `sizeBytes`; the guest grows its file system at the next boot. It is never made smaller. Sparse:
 * it takes the space of what is in it.
 */
export async function provideRawDisk(path: string, sizeBytes: number): Promise<void> {
  try {
    await using file = await open(path, 'a', 0o600);
    const { size } = await file.stat();
    if (size < sizeBytes) await file.truncate(sizeBytes);
    await file.sync();
  } catch (error) {
    throw roomError(error, { path, sizeBytes });
  }
}

/** `no-space` for an error of a file system that cannot hold the disk; any other error as it is. */
export function roomError(error: unknown, disk: { readonly path: string; readonly sizeBytes: number }): unknown {
  if (!isErrno(error, 'ENOSPC') && !isErrno(error, 'EFBIG')) return error;
  const message = `The file system of ${disk.path} cannot hold a disk of ${disk.sizeBytes} bytes`;
  return new MachineError('no-space', message, { cause: error });
}

/** Moves a disk that comes from elsewhere to `path`; a disk never shrinks, so the machine's settings must be at least as large. */
export async function takeRawDisk(
  file: string,
  disk: { readonly path: string; readonly sizeBytes: number },
): Promise<void> {
  await requireFit(file, disk.sizeBytes);
  await rename(file, disk.path);
}

/** Throws `invalid-setting` where the disk in `file` is larger than the machine's may be. */
export async function requireFit(file: string, mostBytes: number): Promise<void> {
  const { size } = await stat(file);
  if (size > mostBytes)
    throw new MachineError('invalid-setting', `The disk has ${size} bytes; a machine with ${mostBytes} cannot take it`);
}
