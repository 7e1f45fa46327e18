const gatheredBytes = 256 * 1024;
const gatheredMs = 50;

/**
 * Chunks as they come from a socket are small, and each write of one costs a round through Node's threads (and a message to who follows): a
 * fast line's are put together, in one buffer that is used again. A slow one's are not kept back, so that what came is told and survives a kill.
 */
export async function* gathered(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, void> {
  const buffer = Buffer.allocUnsafeSlow(gatheredBytes);
  let sizeBytes = 0;
  let sinceMs = performance.now();
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      const taken = Math.min(chunk.length - at, gatheredBytes - sizeBytes);
      buffer.set(chunk.subarray(at, at + taken), sizeBytes);
      at += taken;
      sizeBytes += taken;
      if (sizeBytes < gatheredBytes && performance.now() - sinceMs < gatheredMs) continue;
      yield buffer.subarray(0, sizeBytes);
      sizeBytes = 0;
      sinceMs = performance.now();
    }
  }
  if (sizeBytes > 0) yield buffer.subarray(0, sizeBytes);
}
