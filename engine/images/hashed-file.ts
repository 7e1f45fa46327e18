import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { type Digest, parseDigest } from '../model/ids.ts';

/** Writes what comes into a new file, and tells its digest. */
export async function writeHashed(
  file: string,
  content: AsyncIterable<Buffer>,
): Promise<{ readonly digest: Digest; readonly sizeBytes: number }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  async function* seen(): AsyncGenerator<Buffer, void, void> {
    for await (const chunk of content) {
      hash.update(chunk);
      sizeBytes += chunk.length;
      yield chunk;
    }
  }
  await pipeline(seen(), createWriteStream(file, { flags: 'wx', mode: 0o600 }));
  return { digest: parseDigest(`sha256:${hash.digest('hex')}`), sizeBytes };
}
