import type { Duplex } from 'node:stream';
import type { Dial } from '../../client/dial.ts';
import { isErrno } from '../store/atomic-file.ts';
import { serveStreams } from './stream-server.ts';
import { UdpServer } from './udp-server.ts';

/**
 * One port of this computer's localhost that leads to one of a machine: at 127.0.0.1 and at ::1, for programs take either for
 * `localhost`, and browsers ::1 first. The first is a must; without the second (a computer without IPv6, another program there) it is
 * open all the same, but `taken` tells of that program, which would be talked to instead.
 */
export interface LocalPort extends AsyncDisposable {
  /** The address at which somebody else listens, if any. */
  readonly taken: string | null;
}

export interface LocalPortOptions {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  /** As the machine reaches it. */
  readonly target: { readonly host: string; readonly port: number };
  readonly dial: (address: { readonly host: string; readonly port: number }) => Promise<Duplex>;
  /** To the engine's socket, for UDP. */
  readonly dialEngine: Dial;
  readonly onFailure: (error: Error) => void;
}

export const localAddresses = ['127.0.0.1', '::1'] as const;

/** Rejects when 127.0.0.1 cannot be had: `EADDRINUSE`, `EACCES`. */
export async function openLocalPort(options: LocalPortOptions): Promise<LocalPort> {
  const [first, second] = localAddresses;
  let taken: string | null = null;
  const servers = [await serveAt(first, options)];
  try {
    servers.push(await serveAt(second, options));
  } catch (error) {
    if (isErrno(error, 'EADDRINUSE')) taken = second;
    else if (!isErrno(error, 'EADDRNOTAVAIL') && !isErrno(error, 'EAFNOSUPPORT')) options.onFailure(asError(error));
  }
  return {
    taken,
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
    },
  };
}

function serveAt(address: string, options: LocalPortOptions): Promise<AsyncDisposable> {
  const { protocol, port, target, dial, dialEngine, onFailure } = options;
  if (protocol === 'udp') {
    const { host, port: targetPort } = target;
    const to = { address: host, port: targetPort };
    return UdpServer.listen({ listen: { address, port }, dial: dialEngine, target: to, onFailure });
  }
  const listen = { host: address, port, exclusive: true, ipv6Only: true };
  return serveStreams({ listen, dial: () => dial(target), onFailure });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
