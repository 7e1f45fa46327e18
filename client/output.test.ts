import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { frameHeader } from '../api/framing.ts';
import type { FrameStream } from '../api/framing.ts';
import { listenLocally } from '../test/peers/local-server.ts';
import type { LocalServer } from '../test/peers/local-server.ts';
import { unixSocketDialer } from './dial.ts';
import { EngineClient } from './engine-client.ts';
import type { OutputChunk } from './output.ts';

let server: LocalServer | null = null;

afterEach(async () => {
  await server?.[Symbol.asyncDispose]();
  server = null;
});

const frame = (stream: FrameStream, text: string): Buffer =>
  Buffer.concat([frameHeader(stream, Buffer.byteLength(text)), Buffer.from(text)]);

const upgradedHead = (contentType: string): string =>
  `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${contentType}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`;
const multiplexed = 'application/vnd.docker.multiplexed-stream';
const raw = 'application/vnd.docker.raw-stream';

/** An engine that knows `_ping`, `inspect` and what `on` says; attach gets the bare connection. */
async function engine(on: {
  attach?: (connection: Duplex, url: string) => void;
  logs?: (connection: Duplex) => void;
  tty?: boolean;
  apiVersion?: string;
}): Promise<EngineClient> {
  server = await listenLocally((request, answer) => {
    answer.setHeader('Api-Version', on.apiVersion ?? '1.55');
    if (request.url?.includes('/logs?')) on.logs?.(request.socket);
    else answer.end(JSON.stringify({ Id: 'x', State: {}, Config: { Tty: on.tty ?? false } }));
  });
  server.server.on('upgrade', (request, connection) => {
    connection.resume(); // Only who reads notices that the other side has gone.
    on.attach?.(connection, request.url ?? '');
  });
  return new EngineClient(unixSocketDialer(server.path));
}

async function collect(output: AsyncIterable<OutputChunk>): Promise<{ stdout: string; stderr: string }> {
  const text = { stdout: '', stderr: '' };
  for await (const { stream, payload } of output) text[stream] += payload.toString('latin1');
  return text;
}

describe('attach', () => {
  it('tells the streams apart however the bytes are cut, also when they come with the head', async () => {
    const wire = Buffer.concat([
      Buffer.from(upgradedHead(multiplexed)),
      frame('stdout', 'out'),
      frame('stderr', 'err'),
      frame('stdout', ''),
      frame('stdout', '\xff'),
    ]);
    const headBytes = upgradedHead(multiplexed).length;
    for (let cut = headBytes - 2; cut <= wire.length; cut++) {
      using client = await engine({
        attach: (connection) => connection.write(wire.subarray(0, cut), () => connection.end(wire.subarray(cut))),
      });
      using session = await client.containers.attach('x', { stdout: true, stderr: true });
      expect(await collect(session.output)).toEqual({ stdout: 'out\xc3\xbf', stderr: 'err' });
      await server?.[Symbol.asyncDispose]();
    }
  });

  it('asks for what is wanted, and gives raw bytes of a container with a terminal', async () => {
    let asked = '';
    using client = await engine({
      attach: (connection, url) => {
        asked = url;
        connection.end(upgradedHead(raw) + '\x01\x00\x00\x00 a frame it is not');
      },
    });
    using session = await client.containers.attach('x', {
      stdin: true,
      stdout: true,
      logs: false,
      detachKeys: 'ctrl-a',
    });
    expect(asked).toBe('/v1.55/containers/x/attach?stdin=1&stdout=1&logs=0&detachKeys=ctrl-a&stream=1');
    expect((await collect(session.output)).stdout).toBe('\x01\x00\x00\x00 a frame it is not');
  });

  it('ends stdin by half-closing: output goes on', async () => {
    using client = await engine({
      attach: (connection) => {
        connection.write(upgradedHead(multiplexed));
        let input = '';
        connection.on('data', (bytes: Buffer) => (input += bytes.toString()));
        connection.on('end', () => connection.end(frame('stdout', `got ${input}`)));
      },
    });
    using session = await client.containers.attach('x', { stdin: true, stdout: true });
    session.stdin.write('one ');
    session.stdin.end('two');
    expect(await collect(session.output)).toEqual({ stdout: 'got one two', stderr: '' });
  });

  it.each([
    { tty: false, sent: frame('stderr', 'e').toString('latin1'), text: { stdout: '', stderr: 'e' } },
    { tty: true, sent: 'raw', text: { stdout: 'raw', stderr: '' } },
  ])('asks the container what a server below 1.42 does not tell: tty $tty', async ({ tty, sent, text }) => {
    using client = await engine({
      tty,
      apiVersion: '1.41',
      attach: (connection) => connection.end(upgradedHead(raw) + sent),
    });
    using session = await client.containers.attach('x');
    expect(await collect(session.output)).toEqual(text);
  });

  it('takes an answer of 200 without an upgrade, both directions', async () => {
    using client = await engine({
      attach: (connection) => {
        connection.write(`HTTP/1.1 200 OK\r\nContent-Type: ${raw}\r\n\r\n`);
        connection.once('data', (bytes: Buffer) => connection.end(frame('stdout', `got ${bytes.toString()}`)));
      },
    });
    using session = await client.containers.attach('x', { stdin: true });
    session.stdin.write('this');
    expect(await collect(session.output)).toEqual({ stdout: 'got this', stderr: '' });
  });

  it('throws the refusal of the engine and keeps no connection', async () => {
    using client = await engine({
      attach: (connection) =>
        connection.end('HTTP/1.1 409 Conflict\r\nContent-Length: 25\r\n\r\n{"message":"it is paused"}'.slice(0, -1)),
    });
    await expect(client.containers.attach('x')).rejects.toMatchObject({ statusCode: 409 });
    client[Symbol.dispose]();
    await server?.allClosed();
  });

  it('throws an error that the engine sends in the stream, after the output before it', async () => {
    using client = await engine({
      attach: (connection) =>
        connection.end(
          Buffer.concat([Buffer.from(upgradedHead(multiplexed)), frame('stdout', 'so far'), frame('error', 'lost\n')]),
        ),
    });
    using session = await client.containers.attach('x');
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { payload } of session.output) seen.push(payload.toString());
    })();
    await expect(reading).rejects.toMatchObject({ name: 'EngineError', message: 'lost' });
    expect(seen).toEqual(['so far']);
  });

  it.each([
    { title: 'ends inside a frame', bytes: frame('stdout', 'whole').subarray(0, 10), code: 'lost' },
    { title: 'is not framed', bytes: Buffer.from('plain text'), code: 'protocol' },
  ])('throws when the stream $title', async ({ bytes, code }) => {
    using client = await engine({
      attach: (connection) => connection.end(Buffer.concat([Buffer.from(upgradedHead(multiplexed)), bytes])),
    });
    using session = await client.containers.attach('x');
    await expect(collect(session.output)).rejects.toMatchObject({ code });
  });

  it('ends without an error when its signal is aborted, and closes the connection', async () => {
    using client = await engine({
      attach: (connection) => {
        connection.write(upgradedHead(multiplexed) + frame('stdout', 'a').toString());
        connection.on('end', () => connection.end());
      },
    });
    const control = new AbortController();
    using session = await client.containers.attach('x', {}, { signal: control.signal });
    for await (const _chunk of session.output) control.abort();
    client[Symbol.dispose]();
    await server?.allClosed();
  });

  it('throws when the client is closed in mid-stream', async () => {
    using client = await engine({
      attach: (connection) => connection.write(upgradedHead(multiplexed) + frame('stdout', 'a').toString()),
    });
    using session = await client.containers.attach('x');
    const reading = (async () => {
      for await (const _chunk of session.output) client[Symbol.dispose]();
    })();
    await expect(reading).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('logs', () => {
  const head = `HTTP/1.1 200 OK\r\nContent-Type: ${multiplexed}\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const chunk = (bytes: Buffer): Buffer =>
    Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);

  it('reads to the end', async () => {
    using client = await engine({
      logs: (connection) => {
        connection.write(head);
        connection.write(chunk(Buffer.concat([frame('stdout', '1\n'), frame('stderr', '2\n')])));
        connection.end('0\r\n\r\n');
      },
    });
    expect(await collect(await client.containers.logs('x', { follow: true, tail: 5 }))).toEqual({
      stdout: '1\n',
      stderr: '2\n',
    });
  });

  it('throws when the connection is lost, even between two frames', async () => {
    using client = await engine({
      logs: (connection) => {
        connection.write(head);
        connection.write(chunk(frame('stdout', '1\n')), () => connection.destroy());
      },
    });
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { payload } of await client.containers.logs('x')) seen.push(payload.toString());
    })();
    await expect(reading).rejects.toMatchObject({ code: 'lost' });
    expect(seen).toEqual(['1\n']);
  });

  it('stops reading when the reader is slow', async () => {
    let hasDrained = false;
    let sent: Promise<void> | undefined;
    using client = await engine({
      logs: (connection) => {
        connection.write(head);
        sent = new Promise((resolve) => {
          connection.write(chunk(frame('stdout', 'x'.repeat(8 << 20))));
          connection.write(chunk(frame('stdout', 'y'.repeat(8 << 20))), () => {
            hasDrained = true;
            connection.end('0\r\n\r\n');
            resolve();
          });
        });
      },
    });
    let bytes = 0;
    for await (const { payload } of await client.containers.logs('x')) {
      if (bytes === 0) expect(hasDrained).toBe(false);
      bytes += payload.length;
    }
    await sent;
    expect(bytes).toBe(16 << 20);
  });
});
