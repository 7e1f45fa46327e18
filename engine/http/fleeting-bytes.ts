/** Bytes whose memory is used again for the next ones (`JobOutput`): a response has them before more are asked for. */
import type { ServerResponse } from 'node:http';

/** The kernel has the bytes when this resolves. */
export function writeFleeting(response: ServerResponse, bytes: Buffer, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    response.write(bytes, (error) => {
      signal.removeEventListener('abort', onAbort);
      if (error) reject(error);
      else resolve();
    });
  });
}

/** All of it, and the end of the response. What fails on the way ends the connection: an archive that ends early must not look whole. */
export async function sendFleeting(
  response: ServerResponse,
  content: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const bytes of content) await writeFleeting(response, bytes, signal);
  } catch (error) {
    response.destroy();
    throw error;
  }
  response.end();
}
