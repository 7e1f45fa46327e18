import { rename } from 'node:fs/promises';
import { isErrno } from '../../store/atomic-file.ts';
import type { MachinePaths } from '../../store/home.ts';

/** Before a start: what the console said so far is kept once more, beside what it will say now. */
export async function keepPreviousLog(paths: Pick<MachinePaths, 'serialLog' | 'previousSerialLog'>): Promise<void> {
  try {
    await rename(paths.serialLog, paths.previousSerialLog);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}
