import { once } from 'node:events';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { WebSocket, WebSocketServer } from 'ws';
import { describe, expect, it } from 'vitest';
import { memoryLinks } from './memory-link.ts';
import { mainPortLink, webPortLink, type MainPort } from './message-port-link.ts';
import { serve } from './serve.ts';
import { webSocketLink } from './web-socket-link.ts';
import { describeWire, type LinkPair } from './wire.suite.ts';

describeWire('memory', async () => {
  const [caller, callee] = memoryLinks();
  return { caller, callee, close: () => {} };
});

describeWire('a web MessagePort', async () => {
  const { port1, port2 } = new MessageChannel();
  return { caller: webPortLink(port1), callee: webPortLink(port2), close: () => {} };
});

/** Node's port in the clothes of Electron's, whose listeners are given an event instead of the data. */
function asMainPort(port: MessagePort): MainPort {
  return {
    postMessage: (message) => port.postMessage(message),
    on: (type: 'message' | 'close', listener: (event: { readonly data: unknown }) => void) =>
      port.addEventListener(type, (event) => listener({ data: 'data' in event ? event.data : undefined })),
    start: () => port.start(),
    close: () => port.close(),
  };
}

describeWire("a port of Electron's main process", async () => {
  const { port1, port2 } = new MessageChannel();
  return { caller: webPortLink(port1), callee: mainPortLink(asMainPort(port2)), close: () => {} };
});

async function openSockets(): Promise<LinkPair & { readonly raw: WebSocket }> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the server has no port');
  const raw = new WebSocket(`ws://127.0.0.1:${address.port}`);
  // The link is made before the socket is open: what is sent until then must wait, not get lost.
  const caller = webSocketLink(raw);
  const accepted = Promise.withResolvers<WebSocket>();
  server.once('connection', accepted.resolve);
  const callee = webSocketLink(await accepted.promise);
  const close = async (): Promise<void> => {
    const closed = once(server, 'close');
    server.close();
    await closed;
  };
  return { caller, callee, close, raw };
}

describeWire('a WebSocket', openSockets);

describe('a WebSocket link', () => {
  it.each<[string, string | Uint8Array]>([
    ['text that is not JSON', 'hello'],
    ['a binary message without a header', Uint8Array.of(1)],
    ['a header longer than its message', Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1)],
    ['text nested without end', '['.repeat(1_000_000) + ']'.repeat(1_000_000)],
    ['a header that is not JSON', Uint8Array.of(0, 0, 0, 1, 0x7b)],
  ])('closes at %s and says why', async (_, message) => {
    const { callee, caller, close, raw } = await openSockets();
    const { done } = serve({ contract: {}, implementation: {}, link: callee });
    const told = new Promise<string>((resolve) => caller.onClose(resolve));
    if (raw.readyState === raw.CONNECTING) await once(raw, 'open');
    raw.send(message);
    expect(await told).toMatch(/message|frame/);
    await done;
    await close();
  });

  it('tells of a connection that broke off', async () => {
    const { callee, close, raw } = await openSockets();
    const closed = new Promise<string>((resolve) => callee.onClose(resolve));
    if (raw.readyState === raw.CONNECTING) await once(raw, 'open');
    raw.terminate();
    expect(await closed).toBe('the connection was lost');
    await close();
  });
});
