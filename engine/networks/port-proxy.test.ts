import { once } from 'node:events';
import { type AddressInfo, type Server, connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, it } from 'vitest';
import { PortProxy } from './port-proxy.ts';

const open: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

const proxyTo = async (server: Server | null): Promise<PortProxy> => {
  const proxy = await PortProxy.listen({ address: '127.0.0.1', port: 0 });
  open.push(() => proxy[Symbol.asyncDispose]());
  if (server === null) return proxy;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push(async () => void (await new Promise((resolve) => server.close(resolve))));
  proxy.serve({ address: '127.0.0.1', port: (server.address() as AddressInfo).port });
  return proxy;
};

it('carries a megabyte each way, and the end of one direction leaves the other open', async () => {
  const payload = 'x'.repeat(1 << 20);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    void text(socket).then((received) => socket.end(`${received.length}${payload}`));
  });
  const proxy = await proxyTo(server);
  const client = connect({ host: '127.0.0.1', port: proxy.port, allowHalfOpen: true });
  client.end(payload);
  expect(await text(client)).toBe(`${payload.length}${payload}`);
});

it('resets connections as long as it serves nobody', async () => {
  const proxy = await proxyTo(null);
  const client = connect({ host: '127.0.0.1', port: proxy.port });
  await expect(text(client)).rejects.toThrow('ECONNRESET');
});

it('passes a refusal and a reset on as a reset', async () => {
  const refusing = await proxyTo(null);
  refusing.serve({ address: '127.0.0.1', port: 1 });
  await expect(text(connect({ host: '127.0.0.1', port: refusing.port }))).rejects.toThrow('ECONNRESET');
  const resetting = await proxyTo(createServer((socket) => socket.resetAndDestroy()));
  await expect(text(connect({ host: '127.0.0.1', port: resetting.port }))).rejects.toThrow('ECONNRESET');
});

it('ends its connections when it is disposed, and frees its port', async () => {
  const proxy = await proxyTo(
    createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.write('first');
    }),
  );
  const { port } = proxy;
  const client = connect({ host: '127.0.0.1', port });
  await once(client, 'data');
  const ended = once(client, 'error');
  await proxy[Symbol.asyncDispose]();
  await ended;
  const again = await PortProxy.listen({ address: '127.0.0.1', port });
  await again[Symbol.asyncDispose]();
});
