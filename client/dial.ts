import { connect } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * Opens one byte stream to an engine: a local socket, an SSH channel, anything that is a Duplex. Ending the writable side
 * must leave the readable side open (half-close is how a container learns that its stdin has ended).
 */
export type Dial = (signal?: AbortSignal) => Promise<Duplex>;

/** Dials a unix socket, or on Windows a named pipe (`\\.\pipe\name`). */
export function unixSocketDialer(path: string): Dial {
  return (signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const socket = connect({ path });
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
      socket.once('connect', () => {
        signal?.removeEventListener('abort', onAbort);
        socket.removeListener('error', onError);
        resolve(socket);
      });
    });
}
