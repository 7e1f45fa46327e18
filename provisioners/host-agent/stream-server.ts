import type { ListenOptions, Socket } from 'node:net';
import { createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { joinStreams } from './join-streams.ts';

/** A listener of this computer that joins each of its clients to a stream of its own in the machine. */
export interface StreamServer extends AsyncDisposable {
  /** The port, for a TCP listener. */
  readonly port: number | null;
}

/** Rejects when it cannot listen (`EADDRINUSE`, `EACCES`). Disposing ends the listener and all its clients. */
export async function serveStreams(options: {
  readonly listen: ListenOptions;
  readonly dial: () => Promise<Duplex>;
  readonly onFailure: (error: Error) => void;
}): Promise<StreamServer> {
  const clients = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (client) => {
    clients.add(client);
    client.once('close', () => clients.delete(client));
    // Until it is joined nobody else would hear of it.
    const ignore = (): void => undefined;
    client.on('error', ignore);
    options.dial().then(
      (remote) => {
        if (client.destroyed) remote.destroy();
        else joinStreams(client, remote);
      },
      (error: unknown) => {
        client.destroy();
        options.onFailure(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
  await new Promise<undefined>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.listen, () => {
      server.removeListener('error', reject);
      resolve(undefined);
    });
  });
  server.on('error', options.onFailure);
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : null,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const client of clients) client.destroy();
      await closed;
    },
  };
}
