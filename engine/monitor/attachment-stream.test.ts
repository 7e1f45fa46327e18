import { createServer, createConnection, type Socket } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { AttachmentStream, InputDecoder } from './attachment-stream.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function pair(): Promise<{ stream: AttachmentStream; peer: Socket }> {
  const folder = mkdtempSync(join(tmpdir(), 'skiff-attach-'));
  const server = createServer().listen(join(folder, 's'));
  await once(server, 'listening');
  const connected = once(server, 'connection') as Promise<[Socket]>;
  const socket = createConnection(join(folder, 's'));
  socket.pause();
  const [peer] = await connected;
  closers.push(() => {
    peer.destroy();
    socket.destroy();
    server.close();
    rmSync(folder, { recursive: true });
  });
  return { stream: new AttachmentStream(socket), peer };
}

it('carries input and its end, however the bytes are cut, and leaves the connection open for output', async () => {
  const { stream, peer } = await pair();
  const decoder = new InputDecoder();
  const seen: string[] = [];
  let isEnded = false;
  const ended = new Promise<void>((resolve) => {
    peer.on('data', (chunk: Buffer) => {
      for (const byte of chunk)
        for (const piece of decoder.push(Buffer.from([byte]))) {
          if (piece === null) {
            isEnded = true;
            resolve();
          } else seen.push(piece.toString());
        }
    });
  });
  stream.write('one ');
  stream.end('two');
  await ended;
  expect([seen.join(''), isEnded]).toEqual(['one two', true]);
  peer.end('output after the end of input');
  stream.resume();
  const [output] = (await once(stream, 'data')) as [Buffer];
  expect(output.toString()).toBe('output after the end of input');
  await once(stream, 'close');
});

it('closes the connection when the client leaves, and tells the client when the other side does', async () => {
  const first = await pair();
  first.peer.resume();
  first.stream.destroy();
  await once(first.peer, 'close');
  const second = await pair();
  second.stream.resume();
  second.peer.destroy();
  await once(second.stream, 'close');
  second.stream.write('to nobody');
  expect(second.stream.destroyed).toBe(true);
});
