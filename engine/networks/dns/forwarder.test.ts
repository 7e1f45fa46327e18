import { encode } from 'dns-packet';
import { expect, it } from 'vitest';
import { responseCode, responseCodes } from './answer.ts';
import type { Exchange } from './exchange.ts';
import { Forwarder } from './forwarder.ts';

const query = encode({ type: 'query', id: 0x1234, flags: 0x0100, questions: [{ name: 'example.com', type: 'A' }] });

function forwarder(
  ask: (request: Exchange) => Promise<Buffer>,
  servers: readonly string[] = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'],
): Forwarder {
  return new Forwarder({ namespace: null, hostServers: () => servers, ask });
}

/** What a server would say to that question, with the id that it came with. */
function reply({ query: asked }: Exchange, code: number): Buffer {
  const bytes = Buffer.from(asked);
  bytes.writeUInt8(0x81, 2);
  bytes.writeUInt8(0x80 | code, 3);
  return bytes;
}

it('asks three servers at most, one after the other, each with an id of its own, and answers with the id of the question', async () => {
  const asked: Exchange[] = [];
  const failing = forwarder((request) => {
    asked.push({ ...request, query: Buffer.from(request.query) });
    if (asked.length === 1) return Promise.reject(new Error('silent'));
    return Promise.resolve(reply(request, asked.length === 2 ? responseCodes.refused : 0));
  });
  const answer = await failing.forward(query, { kind: 'host' }, 'udp');
  expect(asked.map(({ server }) => server)).toEqual(['192.0.2.1', '192.0.2.2', '192.0.2.3']);
  expect(new Set(asked.map((one) => one.query.readUInt16BE(0))).size).toBeGreaterThan(1);
  expect([answer.readUInt16BE(0), responseCode(answer)]).toEqual([0x1234, 0]);
});

it('says SERVFAIL when nobody knows, and when nobody is to be asked', async () => {
  let count = 0;
  const useless = forwarder((request) => {
    count += 1;
    return Promise.resolve(reply(request, responseCodes.serverFailure));
  });
  expect(responseCode(await useless.forward(query, { kind: 'host' }, 'tcp'))).toBe(responseCodes.serverFailure);
  expect(count).toBe(3);
  expect(responseCode(await useless.forward(query, { kind: 'none' }, 'udp'))).toBe(responseCodes.serverFailure);
  expect(count).toBe(3);
});

it('refuses the question after 1024 that wait, and takes the next when one is answered', async () => {
  const open: (() => void)[] = [];
  const slow = forwarder((request) => new Promise((resolve) => open.push(() => resolve(reply(request, 0)))));
  const waiting = Array.from({ length: 1024 }, () => slow.forward(query, { kind: 'host' }, 'udp'));
  expect(responseCode(await slow.forward(query, { kind: 'host' }, 'udp'))).toBe(responseCodes.refused);
  open[0]?.();
  expect(responseCode((await waiting[0]) ?? query)).toBe(0);
  const next = slow.forward(query, { kind: 'host' }, 'udp');
  for (const answer of open) answer();
  expect(responseCode(await next)).toBe(0);
  await Promise.all(waiting);
});
