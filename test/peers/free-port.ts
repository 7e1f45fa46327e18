import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Where no kernel looks when any port will do (Linux: from 32768 on): what is free here stays so until it is taken by name. */
const range = { first: 20_000, end: 32_000 };
const attempts = 50;

/** A TCP port of `host` for a program that cannot choose one itself, or has to keep its own over a restart. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const port = randomInt(range.first, range.end);
    if (await isFree(host, port)) return port;
  }
  throw new Error(`no port of ${host} was free in ${attempts} tries from ${range.first} to ${range.end}`);
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' || error.code === 'EACCES' ? resolve(false) : reject(error),
    );
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
