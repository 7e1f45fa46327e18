import { type Socket, createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, expect, it } from 'vitest';
import { UdpProxy } from './udp-proxy.ts';

const opened: Socket[] = [];
afterEach(() => {
  for (const socket of opened.splice(0)) socket.close();
});

async function bound(type: 'udp4' | 'udp6'): Promise<Socket> {
  const socket = createSocket(type);
  opened.push(socket);
  socket.bind(0, type === 'udp4' ? '127.0.0.1' : '::1');
  await once(socket, 'listening', { signal: AbortSignal.timeout(20_000) });
  return socket;
}

async function received(socket: Socket): Promise<string> {
  const [message] = (await once(socket, 'message', { signal: AbortSignal.timeout(20_000) })) as [Buffer];
  return message.toString();
}

it('carries IPv6 clients to an IPv4 server, and each answer back to the one who asked', async () => {
  const server = await bound('udp4');
  server.on('message', (message, from) => server.send(`${message.toString()}!`, from.port, from.address));
  await using proxy = await UdpProxy.bind({ address: '::1', port: 0 });
  const clients = [await bound('udp6'), await bound('udp6')];
  proxy.serve({ address: '127.0.0.1', port: server.address().port });
  for (const [at, client] of clients.entries()) client.send(`hello ${at}`, proxy.port, '::1');
  expect(await Promise.all(clients.map(received))).toEqual(['hello 0!', 'hello 1!']);
});

it('forgets a client that is silent, and gives it a new socket when it comes back', async () => {
  const server = await bound('udp4');
  await using proxy = await UdpProxy.bind({ address: '::1', port: 0, idleMs: 30 });
  proxy.serve({ address: '127.0.0.1', port: server.address().port });
  const client = await bound('udp6');
  const ports = new Set<number>();
  server.on('message', (_message, from) => ports.add(from.port));
  const timer = setInterval(() => client.send('again', proxy.port, '::1'), 100);
  await expect.poll(() => ports.size).toBeGreaterThan(1);
  clearInterval(timer);
});

it('takes no answer from anybody but the container', async () => {
  const [server, stranger, client] = [await bound('udp4'), await bound('udp4'), await bound('udp6')];
  server.on('message', (_message, from) => {
    stranger.send('forged', from.port, from.address, () => server.send('real', from.port, from.address));
  });
  await using proxy = await UdpProxy.bind({ address: '::1', port: 0 });
  proxy.serve({ address: '127.0.0.1', port: server.address().port });
  client.send('hello', proxy.port, '::1');
  expect(await received(client)).toBe('real');
});

it('says who has the port', async () => {
  await using proxy = await UdpProxy.bind({ address: '127.0.0.1', port: 0 });
  await expect(UdpProxy.bind({ address: '127.0.0.1', port: proxy.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
});
