import { isIP } from 'node:net';
import { finished } from 'node:stream/promises';
import { DatagramDecoder, encodeDatagram } from '../../../api/datagrams.ts';
import type { Parts } from '../../containers/parts.ts';
import { invalid, notFound } from '../../model/errors.ts';
import { UdpConversations } from '../../networks/udp-conversations.ts';
import type { Exchange } from '../exchange.ts';
import { hijack } from '../hijack.ts';
import type { Route } from '../router.ts';

/** Datagrams that wait for a client that does not read; more are lost, as they would be on a full wire. */
const mostWaitingBytes = 1 << 20;

/**
 * `POST /skiff/udp?address=127.0.0.1&port=53`: datagrams to a published port and back, for the user's computer, which has a
 * byte stream to the machine and nothing else. Not of Docker's API; `api/datagrams.ts` has the form.
 */
export function udpRoute(parts: Pick<Parts, 'networks'>): Route {
  return { method: 'POST', path: '/skiff/udp', upgrades: 'tcp', handle: (exchange) => forward(parts, exchange) };
}

async function forward({ networks }: Pick<Parts, 'networks'>, exchange: Exchange): Promise<void> {
  const address = exchange.query.get('address') ?? '';
  const port = exchange.integer('port') ?? 0;
  if (isIP(address) === 0 || port < 1 || port > 65_535)
    throw invalid('expected address and port of a published UDP port');
  const isPublished = [...networks.plans()].some(({ ports }) =>
    ports.some((one) => one.protocol === 'udp' && one.hostPort === port),
  );
  if (!isPublished) throw notFound(`no container publishes the UDP port ${port}`);
  const stream = hijack(exchange, { isFramed: false });
  const decoder = new DatagramDecoder();
  using conversations = new UdpConversations<number>({
    target: { address, port },
    onAnswer: (client, payload) => {
      if (stream.writable && stream.writableLength < mostWaitingBytes)
        stream.write(encodeDatagram({ client, payload }));
    },
  });
  stream.on('data', (chunk: Buffer) => {
    for (const { client, payload } of decoder.push(chunk)) conversations.send(client, client, payload);
  });
  stream.on('end', () => stream.end());
  // However it ends: there is nobody to tell.
  await finished(stream).catch(() => undefined);
}
