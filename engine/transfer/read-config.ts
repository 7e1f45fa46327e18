import { createHash } from 'node:crypto';
import { invalid } from '../model/errors.ts';
import type { Repository } from '../registry/registry.ts';
import type { Descriptor } from './manifest.ts';

/** The config of an image, as it is. Throws `invalid` when size or digest are not what the manifest says. */
export async function readConfig(repository: Repository, config: Descriptor, signal: AbortSignal): Promise<Buffer> {
  const remote = await repository.blob(config.digest, { offset: 0, signal });
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of remote.bytes) {
    sizeBytes += chunk.length;
    if (sizeBytes > config.sizeBytes)
      throw invalid(
        `image config ${config.digest} has more than the ${config.sizeBytes} bytes that its manifest tells`,
      );
    chunks.push(chunk);
  }
  if (sizeBytes !== config.sizeBytes)
    throw invalid(`image config ${config.digest} has ${sizeBytes} bytes, its manifest tells ${config.sizeBytes}`);
  const bytes = Buffer.concat(chunks);
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  if (digest !== config.digest)
    throw invalid(`image config ${config.digest} came with the wrong content: its digest is ${digest}`);
  return bytes;
}
