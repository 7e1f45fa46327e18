import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { MachineError } from '../../machines.ts';

const runProgram = promisify(execFile);

/** On Windows a file keeps its holes only when it was told to; else a new disk would take its whole size at once. For its owner, no administrator is needed. */
export async function makeSparse(path: string, signal: AbortSignal): Promise<void> {
  await using file = await open(path, 'a', 0o600);
  if ((await file.stat()).size > 0) return;
  try {
    await runProgram('fsutil', ['sparse', 'setflag', path], { timeout: 10_000, signal, windowsHide: true });
  } catch (cause) {
    signal.throwIfAborted();
    throw new MachineError(
      'no-space',
      `The disk ${path} would take its whole size at once: fsutil could not make it sparse. Give Skiff a folder on NTFS by SKIFF_HOME`,
      { cause },
    );
  }
}
