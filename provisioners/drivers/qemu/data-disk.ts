import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { MachineError } from '../../machines.ts';
import { isErrno } from '../../store/atomic-file.ts';
import { provideRawDisk, roomError, takeRawDisk } from '../vm/raw-disk.ts';

/**
 * The data disk: all that the engine keeps. Sparse, so it takes the space of what is in it. Raw where the file system
 * keeps holes by itself; qcow2 on Windows, where a raw file would take its whole size at once.
 */
export interface DataDisk {
  readonly path: string;
  readonly format: 'raw' | 'qcow2';
}

export function dataDisk(path: string, platform: NodeJS.Platform): DataDisk {
  return { path, format: platform === 'win32' ? 'qcow2' : 'raw' };
}

/** Makes the disk, or grows it to `sizeBytes`; the guest grows its file system at the next boot. It is never made smaller. */
export async function provideDataDisk(options: {
  readonly disk: DataDisk;
  readonly sizeBytes: number;
  /** Path of QEMU itself: its disk tool lies beside it. */
  readonly qemuPath: string;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { disk, sizeBytes, signal } = options;
  try {
    if (disk.format === 'raw') await provideRawDisk(disk.path, sizeBytes);
    else await provideQcow2(disk.path, { sizeBytes, tool: join(dirname(options.qemuPath), 'qemu-img.exe'), signal });
  } catch (error) {
    throw roomError(error, { path: disk.path, sizeBytes });
  }
}

/** Takes a disk that comes from elsewhere; it never shrinks, so `sizeBytes` must be at least as large. */
export async function takeDataDisk(
  disk: DataDisk,
  options: { readonly file: string; readonly sizeBytes: number },
): Promise<void> {
  if (disk.format !== 'raw')
    throw new MachineError('not-supported', 'Disks cannot be brought to machines on Windows yet: theirs are not raw');
  await takeRawDisk(options.file, { path: disk.path, sizeBytes: options.sizeBytes });
}

const runProgram = promisify(execFile);

async function provideQcow2(
  path: string,
  options: { readonly sizeBytes: number; readonly tool: string; readonly signal: AbortSignal },
): Promise<void> {
  const { sizeBytes, tool, signal } = options;
  const run = (args: readonly string[]): Promise<{ stdout: string }> =>
    runProgram(tool, [...args], { timeout: 60_000, signal, windowsHide: true });
  const isThere = await stat(path).then(
    () => true,
    (error: unknown) => {
      if (isErrno(error, 'ENOENT')) return false;
      throw error;
    },
  );
  if (!isThere) {
    await run(['create', '-q', '-f', 'qcow2', path, String(sizeBytes)]);
    return;
  }
  const { stdout } = await run(['info', '--output=json', path]);
  const found: unknown = JSON.parse(stdout);
  const virtual = typeof found === 'object' && found !== null && 'virtual-size' in found ? found['virtual-size'] : null;
  if (typeof virtual === 'number' && virtual < sizeBytes)
    await run(['resize', '-q', '-f', 'qcow2', path, String(sizeBytes)]);
}
