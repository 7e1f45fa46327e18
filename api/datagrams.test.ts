import { expect, it } from 'vitest';
import { DatagramDecoder, encodeDatagram, maxDatagramBytes } from './datagrams.ts';

it('gives back what was sent, however the stream is cut', () => {
  const sent = [0, 1, 5, 700, maxDatagramBytes].map((size, client) => ({
    client,
    payload: Buffer.alloc(size, client),
  }));
  const stream = Buffer.concat(sent.map(encodeDatagram));
  for (const step of [97, 1000, stream.length]) {
    const decoder = new DatagramDecoder();
    const got = [];
    for (let at = 0; at < stream.length; at += step) got.push(...decoder.push(stream.subarray(at, at + step)));
    expect(got.map(({ client, payload }) => [client, payload.equals(sent[client]?.payload ?? Buffer.of(1))])).toEqual(
      sent.map(({ client }) => [client, true]),
    );
  }
});

it('is two bytes of length, four of client, and the payload', () => {
  expect(encodeDatagram({ client: 258, payload: Buffer.from('hi') }).toString('hex')).toBe('0002000001026869');
});
