import type { FileHandle } from 'node:fs/promises';
import { open, rename, rm } from 'node:fs/promises';
import { MachineError } from '../machines.ts';
import { isErrno } from '../store/atomic-file.ts';
import type { ErofsEntry } from './erofs.ts';
import { readErofs } from './erofs.ts';
import { tarEnd, tarHeader, tarPadding } from './tar.ts';

/**
 * Writes what is on a system disk as a tar archive, for those who want the system as files and have a kernel of their own (WSL2). All
 * is root's, all times are zero: the same disk gives the same bytes. Throws `image-corrupt`, `no-space`.
 */
export async function writeRootArchive(systemDisk: string, path: string, signal: AbortSignal): Promise<void> {
  const making = `${path}.new`;
  try {
    await using disk = await open(systemDisk, 'r');
    await using file = await open(making, 'w', 0o600);
    for await (const entry of readErofs(disk)) {
      signal.throwIfAborted();
      await writeEntry(file, entry);
    }
    await file.write(tarEnd);
    await file.sync();
  } catch (error) {
    await rm(making, { force: true });
    signal.throwIfAborted();
    if (isErrno(error, 'ENOSPC')) throw new MachineError('no-space', `No space left for ${path}`, { cause: error });
    const why = error instanceof Error ? error.message : String(error);
    throw new MachineError('image-corrupt', `The system disk ${systemDisk} cannot be read: ${why}`, { cause: error });
  }
  await rename(making, path);
}

async function writeEntry(file: FileHandle, { path, kind, mode, sizeBytes, content }: ErofsEntry): Promise<void> {
  if (kind === 'folder') {
    await file.write(tarHeader({ name: `${path}/`, kind, mode, sizeBytes: 0 }));
    return;
  }
  if (kind === 'link') {
    let target = '';
    for await (const chunk of content()) target += chunk.toString();
    await file.write(tarHeader({ name: path, kind, mode, sizeBytes: 0, target }));
    return;
  }
  await file.write(tarHeader({ name: path, kind, mode, sizeBytes }));
  for await (const chunk of content()) await file.write(chunk);
  await file.write(tarPadding(sizeBytes));
}
