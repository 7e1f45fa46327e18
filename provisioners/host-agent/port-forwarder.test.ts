import type { Server } from 'node:net';
import { connect, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../test/eventually.ts';
import { freeLocalPort } from '../drivers/vm/local-port.ts';
import type { PortForward } from '../machines.ts';
import { PortForwarder } from './port-forwarder.ts';
import type { PublishedPort } from './published-ports.ts';

const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));
const families = hasIpv6 ? ['127.0.0.1', '::1'] : ['127.0.0.1'];

/** The machine is this computer at another address; its ports are real. */
describe('ports of containers on this computer', () => {
  let backend: Server;
  let port: number;
  let told: readonly PortForward[][];
  let forwarder: PortForwarder;

  beforeEach(async () => {
    // Free at all of this computer's own addresses: what a system gives for one of them may be taken at another.
    port = await freeLocalPort(null);
    backend = await listenAt('127.0.0.9', port);
    told = [];
    forwarder = new PortForwarder({
      dial: ({ host, port: at }) => dial(host, at),
      dialEngine: () => Promise.reject(new Error('no engine here')),
      onChange: (forwards) => (told = [...told, [...forwards]]),
      ownerOf: () => Promise.resolve('nginx (process 812)'),
      onFailure: () => undefined,
      retryMs: 5,
    });
  });
  afterEach(async () => {
    await forwarder[Symbol.asyncDispose]();
    await close(backend);
  });

  const published = (): PublishedPort => ({
    containerId: 'web',
    containerPort: 80,
    protocol: 'tcp',
    machineIp: '127.0.0.9',
    port,
  });

  it('are reached at localhost of each family', async () => {
    await forwarder.update([published()]);
    for (const host of families) expect(await text(await dial(host, port))).toBe('hello');
    await forwarder.update([]);
    for (const host of families) await expect(dial(host, port)).rejects.toThrow('ECONNREFUSED');
  });

  it('tell who has a port that is taken, and open as soon as it is free', async () => {
    const other = await listenAt('127.0.0.1', port);
    await forwarder.update([published()]);
    await eventually(() => told.at(-1)?.[0]?.error).toContain('is in use by nginx (process 812); end that');
    expect(told.at(-1)?.[0]?.state).toBe('failed');
    await close(other);
    await eventually(() => told.at(-1)?.[0]).toMatchObject({ state: 'open', error: null });
  });

  it.skipIf(!hasIpv6)('tell who would be talked to at ::1 instead (needs IPv6)', async () => {
    const other = await listenAt('::1', port);
    await forwarder.update([published()]);
    await eventually(() => told.at(-1)?.[0]?.error).toContain(`[::1]:${port} is in use by nginx`);
    expect(told.at(-1)?.[0]?.state).toBe('open');
    expect(await text(await dial('127.0.0.1', port))).toBe('hello');
    await close(other);
  });
});

function listenAt(host: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.end('hello'));
    server.once('error', reject);
    server.listen(port, host, () => resolve(server));
  });
}

function dial(host: string, port: number): Promise<ReturnType<typeof connect>> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true });
    socket.once('error', reject).once('connect', () => resolve(socket));
  });
}

async function close(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
}
