import { DatagramDecoder, encodeDatagram } from '../api/datagrams.ts';
import type { Datagram } from '../api/datagrams.ts';
import type { Hijacked } from './transport.ts';

/** Datagrams that wait for a line that is slow; more are lost, as they would be on a full wire. */
const mostWaitingBytes = 1 << 20;

/** Datagrams to one published UDP port of an engine, from many clients, and back. */
export interface DatagramSession extends Disposable {
  /** May lose it. */
  send(datagram: Datagram): void;
  /** Resolves when the engine ended it, or the line broke. */
  readonly closed: Promise<void>;
}

export function datagramSession(hijacked: Hijacked, onDatagram: (datagram: Datagram) => void): DatagramSession {
  const { incoming, outgoing } = hijacked;
  const decoder = new DatagramDecoder();
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  incoming.on('data', (chunk: Buffer) => {
    for (const datagram of decoder.push(chunk)) onDatagram(datagram);
  });
  for (const event of ['end', 'close', 'error'] as const) incoming.on(event, () => resolve());
  outgoing.on('error', () => resolve());
  return {
    closed,
    send(datagram) {
      if (outgoing.writable && outgoing.writableLength < mostWaitingBytes) outgoing.write(encodeDatagram(datagram));
    },
    [Symbol.dispose]() {
      outgoing.destroy();
      incoming.destroy();
    },
  };
}
