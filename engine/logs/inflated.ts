import { randomBytes } from 'node:crypto';
import { closeSync, createReadStream, createWriteStream, existsSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';

/**
 * A descriptor of what a compressed file holds: of a file without a name, which goes with it. Reading a log backwards for its last
 * lines needs all of it. Null when there is no such file.
 */
export async function inflated(path: string): Promise<number | null> {
  if (!existsSync(path)) return null;
  const unnamed = join(tmpdir(), `skiff-log-${randomBytes(8).toString('hex')}`);
  const fd = openSync(unnamed, 'wx+', 0o600);
  rmSync(unnamed);
  try {
    const target = createWriteStream('', { fd, autoClose: false });
    await pipeline(createReadStream(path), createGunzip(), target);
    return fd;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    closeSync(fd);
    if (code === 'ENOENT') return null;
    throw error;
  }
}
