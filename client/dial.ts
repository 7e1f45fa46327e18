import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * Opens one byte stream to an engine: a local socket, an SSH channel, anything that is a Duplex. Ending the writable side
 * must leave the readable side open (half-close is how a container learns that its stdin has ended).
 */
export type Dial = (signal?: AbortSignal) => Promise<Duplex>;

/** Dials a unix socket, or on Windows a named pipe (`\\.\pipe\name`). */
export function unixSocketDialer(path: string): Dial {
  return (signal) => connected(() => connect({ path }), 'connect', signal);
}

/** What proves both sides of a connection to each other, as PEM. */
export interface TlsMaterial {
  /** Whom to trust; absent: whom the computer trusts. */
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly isUnverified?: boolean;
}

/** Dials a port; `tls` absent: in the clear, for engines on this computer only. */
export function tcpDialer(address: { readonly host: string; readonly port: number }, tls: TlsMaterial | null): Dial {
  const { host, port } = address;
  if (tls === null) return (signal) => connected(() => connect({ host, port }), 'connect', signal);
  const { ca, cert, key, isUnverified = false } = tls;
  const options = { host, port, ca, cert, key, rejectUnauthorized: !isUnverified, ALPNProtocols: ['http/1.1'] };
  return async (signal) => {
    // Loaded when it is wanted: it costs more than a call over a local socket.
    const { connect: connectTls } = await import('node:tls');
    return connected(() => connectTls(options), 'secureConnect', signal);
  };
}

function connected(open: () => Socket, event: 'connect' | 'secureConnect', signal?: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const socket = open();
    const onAbort = (): void => {
      socket.destroy();
      reject(signal?.reason);
    };
    const onError = (error: Error): void => {
      signal?.removeEventListener('abort', onAbort);
      reject(error);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.once('error', onError);
    socket.once(event, () => {
      signal?.removeEventListener('abort', onAbort);
      socket.removeListener('error', onError);
      resolve(socket);
    });
  });
}
