import type { Socket } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { unixSocketDialer } from '../../client/dial.ts';
import { EngineClient } from '../../client/engine-client.ts';
import { openNamespace } from '../../engine/kernel/netns.ts';
import { enterFreshNetwork } from '../../engine/lab/network-lab.ts';
import { serveEcho } from '../../engine/lab/probe.ts';
import { UdpServer } from '../../provisioners/host-agent/udp-server.ts';
import { describeWith } from '../skip.ts';
import { Boxes } from './box.ts';
import { type RunningEngine, startEngine } from './start-engine.ts';

describeWith(['linux', 'root', { program: 'crun' }], 'UDP ports on the user’s computer', () => {
  const stack = new AsyncDisposableStack();
  let engine: RunningEngine;
  let boxes: Boxes;
  const failures: string[] = [];

  beforeAll(async () => {
    stack.use(enterFreshNetwork());
    engine = stack.use(await startEngine());
    boxes = new Boxes(engine.socket);
    const PortBindings = { '53/udp': [{ HostPort: '7053' }] };
    const id = await boxes.keep({ host: { NetworkMode: 'bridge', PortBindings } });
    const { State } = await boxes.inspect<{ readonly State: { readonly Pid: number } }>(id);
    const inside = stack.use(openNamespace(`/proc/${State.Pid}/ns/net`));
    stack.use(serveEcho(inside, { address: '0.0.0.0', port: 53 }));
  });
  afterAll(() => stack.disposeAsync());

  const serve = (port: number): Promise<UdpServer> =>
    UdpServer.listen({
      listen: { address: '127.0.0.1', port: 0 },
      dial: unixSocketDialer(engine.socket),
      target: { address: '127.0.0.1', port },
      onFailure: (error) => failures.push(error.message),
    });
  const client = async (): Promise<Socket> => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    stack.defer(() => void socket.close());
    return socket;
  };
  const exchange = async (socket: Socket, port: number, text: string, waitMs = 20_000): Promise<string> => {
    const answered = once(socket, 'message', { signal: AbortSignal.timeout(waitMs) }) as Promise<[Buffer]>;
    socket.send(text, port, '127.0.0.1');
    return (await answered)[0].toString();
  };

  it('reach the container, and each client gets its own answers', async () => {
    await using server = await serve(7053);
    const clients = [await client(), await client(), await client()];
    const texts = clients.map((_, at) => `${at}`.repeat(at * 700 + 1));
    const answers = clients.map((socket, at) => exchange(socket, server.port, texts[at] ?? ''));
    expect(await Promise.all(answers)).toEqual(texts);
  });

  it('go on when the engine was started again', async () => {
    await using server = await serve(7053);
    const socket = await client();
    expect(await exchange(socket, server.port, 'before')).toBe('before');
    await engine.crash();
    await engine.start();
    const again = (): Promise<string> => exchange(socket, server.port, 'after', 2000).catch(() => '');
    await expect.poll(again, { timeout: 60_000 }).toBe('after');
  });

  it('lead to published ports alone', async () => {
    using api = new EngineClient(unixSocketDialer(engine.socket));
    await expect(api.datagrams({ address: '127.0.0.1', port: 7054 }, () => undefined)).rejects.toThrow(
      'no container publishes the UDP port 7054',
    );
    await expect(api.datagrams({ address: 'host', port: 7053 }, () => undefined)).rejects.toThrow('expected address');
    await using server = await serve(7054);
    const socket = await client();
    socket.send('hello', server.port, '127.0.0.1');
    await expect.poll(() => failures.at(-1)).toContain('no container publishes');
  });
});
