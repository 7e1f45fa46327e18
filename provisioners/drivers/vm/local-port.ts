import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below those that a system gives to whoever asks for any (Linux from 32768 on, macOS and Windows from 49152 on): until a
 * machine listens there, and while it is off, no connection of another program is given one of these.
 */
const range = { first: 20_000, end: 32_000 };
const tries = 50;

/** A TCP port of 127.0.0.1 that is free now: the preferred one when it is. Another may take it before it is used. */
export async function freeLocalPort(preferred: number | null): Promise<number> {
  if (preferred !== null && (await isFree(preferred))) return preferred;
  for (let attempt = 0; attempt < tries; attempt++) {
    const port = randomInt(range.first, range.end);
    if (await isFree(port)) return port;
  }
  throw new Error(`None of ${tries} ports of 127.0.0.1 that were tried is free (${range.first} to ${range.end - 1})`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false);
      else reject(error);
    });
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
