import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { handOver, takeOver } from './hand-over.ts';
import { handedSocket } from './wire.ts';

describeWith(['linux', 'root'], 'a stream that is handed over', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'skiff-hand-'));
  const outside = path.join(folder, 'outside.sock');
  const servers: Server[] = [];
  let onTaken: (stream: Socket) => void = () => undefined;
  let onStream: (stream: Socket) => void = () => undefined;

  beforeAll(async () => {
    servers.push(createServer({ allowHalfOpen: true }, (socket) => takeOver(socket, (stream) => onTaken(stream))));
    servers.push(createServer((stream) => onStream(stream)));
    await Promise.all(
      servers.map((server, index) => once(server.listen(index === 0 ? handedSocket(folder) : outside), 'listening')),
    );
  });
  afterAll(() => {
    for (const server of servers) server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Two ends of one connection: the user's computer's, and the one that is to be handed over. */
  async function pair(): Promise<{ readonly far: Socket; readonly near: Socket }> {
    const { promise, resolve } = Promise.withResolvers<Socket>();
    onStream = resolve;
    const far = createConnection(outside);
    return { far, near: await promise };
  }

  it('is another’s from then on, and its end is the end of what stands for it', async () => {
    const { far, near } = await pair();
    const taken = new Promise<Socket>((resolve) => (onTaken = resolve));
    const standIn = await handOver(near, folder);
    const stream = await taken;
    expect(near.destroyed).toBe(true);
    far.write('asked');
    expect(String(await once(stream, 'data'))).toBe('asked');
    stream.write('answered');
    expect(String(await once(far, 'data'))).toBe('answered');
    const ended = standIn === null ? null : once(standIn, 'close');
    far.end();
    stream.resume();
    await ended;
    expect(stream.destroyed).toBe(true);
  });

  it('ends when what stands for it is ended', async () => {
    const { far, near } = await pair();
    const standIn = await handOver(near, folder);
    far.resume();
    standIn?.destroy();
    await once(far, 'close');
  });

  it('stays where it is when there are bytes in hand, or nobody takes it', async () => {
    const { far, near } = await pair();
    await expect(handOver(near, path.join(folder, 'nobody'))).resolves.toBeNull();
    far.write('early');
    await once(near, 'readable');
    await expect(handOver(near, folder)).resolves.toBeNull();
    expect(String(near.read())).toBe('early');
    far.destroy();
    near.destroy();
  });
});
