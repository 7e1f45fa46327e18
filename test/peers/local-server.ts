import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Socket } from 'node:net';

/** A place where a server can listen locally: a unix socket in a folder of its own, on Windows a named pipe. */
async function temporarySocket(): Promise<{ path: string } & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'skiff-test-'));
  const path =
    process.platform === 'win32' ? `\\\\.\\pipe\\${folder.replaceAll(/[^a-z0-9]/gi, '-')}` : join(folder, 's');
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

/** A real node:http server on a temporary socket that counts its connections, so that a test can say that none is left. */
export interface LocalServer extends AsyncDisposable {
  readonly path: string;
  readonly server: Server;
  readonly open: ReadonlySet<Socket>;
  /** All that were ever accepted. */
  readonly accepted: readonly Socket[];
  /** Resolves once no connection is open; rejects after half a minute. */
  allClosed(): Promise<void>;
}

export async function listenLocally(onRequest: RequestListener): Promise<LocalServer> {
  const place = await temporarySocket();
  const server = createServer({ keepAliveTimeout: 60_000 }, onRequest);
  const open = new Set<Socket>();
  const accepted: Socket[] = [];
  server.on('connection', (socket) => {
    open.add(socket);
    accepted.push(socket);
    socket.on('error', () => undefined); // Clients of these tests go away in mid-stream.
    socket.on('close', () => open.delete(socket));
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(place.path, resolve));
  return {
    path: place.path,
    server,
    open,
    accepted,
    allClosed: () => closed(open),
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await place[Symbol.asyncDispose]();
    },
  };
}

async function closed(open: ReadonlySet<Socket>): Promise<void> {
  const signal = AbortSignal.timeout(30_000);
  while (open.size > 0) {
    const [socket] = open;
    await new Promise<void>((resolve, reject) => {
      socket?.once('close', () => resolve());
      signal.addEventListener('abort', () => reject(new Error(`${open.size} connections are still open`)), {
        once: true,
      });
    });
  }
}
