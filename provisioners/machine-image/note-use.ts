import { utimes } from 'node:fs/promises';
import { isErrno } from '../store/atomic-file.ts';

/** Notes that a file of the cache is used now. */
export async function noteUse(file: string): Promise<void> {
  const now = new Date();
  try {
    await utimes(file, now, now);
  } catch (error) {
    // A cache that somebody gave for reading alone, in which nothing is removed either.
    if (!isErrno(error, 'EROFS') && !isErrno(error, 'EPERM') && !isErrno(error, 'EACCES')) throw error;
  }
}
