import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { listenLocally } from '../test/peers/local-server.ts';
import type { LocalServer } from '../test/peers/local-server.ts';
import { unixSocketDialer } from './dial.ts';
import { EngineClient } from './engine-client.ts';
import type { EngineClientOptions } from './engine-client.ts';

let opened: { server: LocalServer; client: EngineClient }[] = [];

afterEach(async () => {
  vi.useRealTimers();
  for (const { server, client } of opened) {
    client[Symbol.dispose]();
    await server.allClosed();
    await server[Symbol.asyncDispose]();
  }
  opened = [];
});

async function serve(
  onRequest: RequestListener,
  options: EngineClientOptions & { apiVersion?: string } = {},
): Promise<{ client: EngineClient; server: LocalServer }> {
  const server = await listenLocally((request, answer) => {
    answer.setHeader('Api-Version', options.apiVersion ?? '1.55');
    if (request.url === '/_ping') answer.setHeader('Content-Length', 0).end();
    else onRequest(request, answer);
  });
  const client = new EngineClient(unixSocketDialer(server.path), options);
  opened.push({ server, client });
  return { client, server };
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

function json(answer: ServerResponse, value: unknown, statusCode = 200): void {
  answer.writeHead(statusCode, { 'Content-Type': 'application/json' }).end(JSON.stringify(value) + '\n');
}

const versionAnswer = { Version: '0.1.0', ApiVersion: '1.55' };

describe('version negotiation', () => {
  it.each([
    { server: '1.41', path: '/v1.41/version' },
    { server: '1.55', path: '/v1.55/version' },
    { server: '1.60', path: '/v1.55/version' },
  ])('asks in the newest version that both know: engine $server', async ({ server, path }) => {
    const paths: (string | undefined)[] = [];
    const { client } = await serve(
      (request, answer) => {
        paths.push(request.url);
        json(answer, versionAnswer);
      },
      { apiVersion: server },
    );
    await client.version();
    expect(paths).toEqual([path]);
  });

  it('refuses an engine that is too old, naming both versions', async () => {
    const { client } = await serve(() => undefined, { apiVersion: '1.24' });
    await expect(client.version()).rejects.toMatchObject({
      code: 'incompatible',
      message: expect.stringMatching(/1\.24.*1\.40/),
    });
  });

  it('tells a web server from an engine', async () => {
    await using server = await listenLocally((_request, answer) => void answer.end('<html>'));
    using client = new EngineClient(unixSocketDialer(server.path));
    await expect(client.info()).rejects.toMatchObject({ name: 'EngineUnreachable', code: 'protocol' });
  });

  it('does not hold up who gives up while the version is asked for, nor the others', async () => {
    await using server = await listenLocally((request, answer) => {
      answer.setHeader('Api-Version', '1.55');
      if (request.url === '/_ping') pings.push(() => void answer.setHeader('Content-Length', 0).end());
      else json(answer, versionAnswer);
    });
    const pings: (() => void)[] = [];
    using client = new EngineClient(unixSocketDialer(server.path));
    const control = new AbortController();
    const patient = client.version();
    const impatient = client.version({ signal: control.signal });
    const reason = new Error('closed');
    control.abort(reason);
    await expect(impatient).rejects.toBe(reason);
    await expect.poll(() => pings.length).toBe(1);
    pings[0]?.();
    await expect(patient).resolves.toMatchObject({ Version: '0.1.0' });
  });

  it('asks again after a ping that failed', async () => {
    const { client, server } = await serve((_request, answer) => json(answer, versionAnswer));
    server.server.once('connection', (socket) => socket.destroy());
    await expect(client.version()).rejects.toMatchObject({ code: 'lost' });
    await expect(client.version()).resolves.toMatchObject({ Version: '0.1.0' });
  });
});

describe('errors', () => {
  it.each([
    { body: '{"message":"No such container: <x>"}\n', message: 'No such container: <x>' },
    { body: 'client version 1.9 is too old\n', message: 'client version 1.9 is too old' },
    { body: '{"unexpected":1}', message: '{"unexpected":1}' },
    { body: '', message: 'GET /v1.55/containers/x/json: status 404' },
  ])('gives the words of the engine: $body', async ({ body, message }) => {
    const { client } = await serve((_request, answer) => void answer.writeHead(404).end(body));
    await expect(client.containers.inspect('x')).rejects.toMatchObject({
      name: 'EngineError',
      statusCode: 404,
      message,
    });
  });

  it('says what it could not connect to', async () => {
    using client = new EngineClient(unixSocketDialer('/nowhere/engine.sock'));
    await expect(client.ping()).rejects.toMatchObject({
      name: 'EngineUnreachable',
      code: 'connect',
      message: expect.stringContaining('/nowhere/engine.sock'),
      cause: { code: 'ENOENT' },
    });
  });

  it.each([
    { title: 'no JSON', body: 'oops' },
    { title: 'no object', body: '17' },
    { title: 'a missing field', body: '{"Warnings":[]}' },
    { title: 'a field of another type', body: '{"Id":17}' },
  ])('refuses an answer with $title', async ({ body }) => {
    const { client } = await serve((_request, answer) => void answer.end(body));
    await expect(client.containers.create({ Image: 'hello' })).rejects.toMatchObject({ code: 'protocol' });
  });

  it('gives up waiting after the timeout and says for what', async () => {
    const { client } = await serve(() => undefined);
    await expect(client.containers.start('x', {}, { timeoutMs: 20 })).rejects.toMatchObject({
      code: 'timeout',
      message: 'the engine did not answer POST /v1.55/containers/x/start within 0.02 s',
    });
  });

  it('counts a body that stops half-way as silence', async () => {
    const { client } = await serve((_request, answer) => void answer.write('{"Version":'));
    await expect(client.version({ timeoutMs: 50 })).rejects.toMatchObject({ code: 'timeout' });
  });

  it('rejects with the reason of an abort', async () => {
    const reason = new Error('the window was closed');
    const control = new AbortController();
    const { client } = await serve(() => control.abort(reason));
    await expect(client.containers.start('x', {}, { signal: control.signal })).rejects.toBe(reason);
    await expect(client.info({ signal: control.signal })).rejects.toBe(reason);
  });
});

describe('connections', () => {
  it('uses one connection for one call after the other', async () => {
    const { client, server } = await serve((_request, answer) => json(answer, versionAnswer));
    for (let call = 0; call < 5; call++) await client.version();
    expect(server.accepted).toHaveLength(1);
  });

  it('repeats a GET whose idle connection died, on a fresh one', async () => {
    const dying = new Set<IncomingMessage['socket']>();
    const { client, server } = await serve((request, answer) => {
      if (dying.size === 0) {
        dying.add(request.socket);
        json(answer, versionAnswer);
      } else if (dying.has(request.socket)) request.socket.destroy();
      else json(answer, { ...versionAnswer, Version: '0.2.0' });
    });
    await client.version();
    await expect(client.version()).resolves.toMatchObject({ Version: '0.2.0' });
    expect(server.accepted).toHaveLength(2);
  });

  it('never repeats a request that may have changed something', async () => {
    let starts = 0;
    const { client } = await serve((request) => {
      starts++;
      request.socket.destroy();
    });
    await expect(client.containers.start('x')).rejects.toMatchObject({ code: 'lost' });
    expect(starts).toBe(1);
  });

  it('ends what is under way when the client is closed, and refuses new calls', async () => {
    const { client } = await serve(() => client[Symbol.dispose]());
    await expect(client.info()).rejects.toMatchObject({ code: 'closed' });
    await expect(client.info()).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('requests as Docker sends them', () => {
  const cases: {
    title: string;
    call: (client: EngineClient) => Promise<unknown>;
    expected: { method: string; url: string; body?: string };
    statusCode?: number;
    result?: unknown;
  }[] = [
    {
      title: 'list with filters',
      call: (client) => client.containers.list({ all: true, limit: 3, filters: { label: ['a=b', 'c'] } }),
      expected: {
        method: 'GET',
        url: `/v1.55/containers/json?all=1&limit=3&filters=${encodeURIComponent('{"label":["a=b","c"]}')}`,
      },
    },
    {
      title: 'create with a name and a platform',
      call: (client) => client.containers.create({ Image: 'hello' }, { name: 'a', platform: 'linux/arm64' }),
      expected: {
        method: 'POST',
        url: '/v1.55/containers/create?name=a&platform=linux%2Farm64',
        body: '{"Image":"hello"}',
      },
    },
    {
      title: 'start of a running container',
      call: (client) => client.containers.start('a b'),
      expected: { method: 'POST', url: '/v1.55/containers/a%20b/start' },
      statusCode: 304,
      result: 'already-running',
    },
    {
      title: 'stop with time and signal',
      call: (client) => client.containers.stop('a', { timeoutSeconds: 3, signal: 'INT' }),
      expected: { method: 'POST', url: '/v1.55/containers/a/stop?t=3&signal=INT' },
      statusCode: 204,
      result: 'stopped',
    },
    {
      title: 'remove by force',
      call: (client) => client.containers.remove('a', { force: true, volumes: true }),
      expected: { method: 'DELETE', url: '/v1.55/containers/a?force=1&v=1' },
      statusCode: 204,
    },
    {
      title: 'resize: height and width are not swapped',
      call: (client) => client.containers.resize('a', { rows: 24, columns: 80 }),
      expected: { method: 'POST', url: '/v1.55/containers/a/resize?h=24&w=80' },
    },
    {
      title: 'image of a registry: its slashes stay',
      call: (client) => client.images.inspect('localhost:5000/a/b:1'),
      expected: { method: 'GET', url: '/v1.55/images/localhost%3A5000/a/b%3A1/json' },
    },
  ];
  it.each(cases)('$title', async ({ call, expected, statusCode = 200, result }) => {
    let seen: unknown;
    const { client } = await serve(async (request, answer) => {
      const body = Buffer.concat((await request.toArray()) as Buffer[]).toString();
      seen = { method: request.method, url: request.url, ...(body ? { body } : {}) };
      if (statusCode === 200) json(answer, expected.url.includes('/json?') ? [] : { Id: 'i', State: {}, Config: {} });
      else answer.writeHead(statusCode).end();
    });
    const answer = await call(client);
    expect(seen).toEqual(expected);
    if (result !== undefined) expect(answer).toBe(result);
  });
});

describe('wait', () => {
  it('resolves with the head of the answer, so that a start may follow', async () => {
    let finish: (() => void) | undefined;
    const { client } = await serve((request, answer) => {
      expect(request.url).toBe('/v1.55/containers/x/wait?condition=next-exit');
      answer.writeHead(200).flushHeaders();
      finish = () => answer.end('{"StatusCode":3,"Error":null}\n');
    });
    using wait = await client.containers.wait('x', 'next-exit');
    expect(finish).toBeDefined();
    finish?.();
    await expect(wait.answer).resolves.toEqual({ StatusCode: 3, Error: null });
  });

  it('fails when the connection is lost before the exit', async () => {
    const { client } = await serve((request, answer) => {
      answer.flushHeaders();
      request.socket.end();
    });
    using wait = await client.containers.wait('x');
    await expect(wait.answer).rejects.toMatchObject({ code: 'lost' });
  });

  it('closes its connection when it is given up', async () => {
    const { client, server } = await serve((_request, answer) => answer.flushHeaders());
    const wait = await client.containers.wait('x');
    wait[Symbol.dispose]();
    await server.allClosed();
  });
});

describe('events', () => {
  const event = { Type: 'container', Action: 'start', Actor: { ID: 'x', Attributes: {} }, time: 1, timeNano: 1e9 };

  it('resolves before the first event, gives each as it comes and ends on abort', async () => {
    let send: ((text: string) => void) | undefined;
    const { client } = await serve((request, answer) => {
      expect(request.url).toBe(`/v1.55/events?since=1.5&filters=${encodeURIComponent('{"type":["container"]}')}`);
      answer.flushHeaders();
      send = (text) => answer.write(text);
    });
    const control = new AbortController();
    const events = await client.events({ since: '1.5', filters: { type: ['container'] } }, { signal: control.signal });
    const text = JSON.stringify(event) + '\n';
    send?.(text.slice(0, 10));
    send?.(text.slice(10));
    const seen: unknown[] = [];
    for await (const one of events) {
      seen.push(one);
      if (seen.length === 1) send?.(text);
      else control.abort();
    }
    expect(seen).toEqual([event, event]);
  });

  it('throws when the engine goes away', async () => {
    const { client } = await serve((request, answer) => {
      answer.write(JSON.stringify(event) + '\n', () => request.socket.destroy());
    });
    const events = await client.events();
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const one of events) seen.push(one);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'lost' });
    expect(seen).toEqual([event]);
  });

  it('refuses what is no JSON', async () => {
    const { client } = await serve((_request, answer) => void answer.end('nonsense\n'));
    const events = await client.events();
    await expect(collect(events)).rejects.toMatchObject({ code: 'protocol' });
  });

  it('closes its connection when the loop is left', async () => {
    const { client, server } = await serve((_request, answer) => void answer.write(JSON.stringify(event) + '\n'));
    for await (const _one of await client.events()) break;
    await server.allClosed();
  });
});

describe('load', () => {
  it('sends the archive as it is and gives the progress', async () => {
    const { client } = await serve(async (request, answer) => {
      expect(request.headers['content-type']).toBe('application/x-tar');
      const body = Buffer.concat((await request.toArray()) as Buffer[]);
      answer.write(`{"status":"Loading layer","id":"abc","progressDetail":{"current":${body.length}}}\r\n`);
      answer.end('{"stream":"Loaded image: hello:latest\\n"}\r\n');
    });
    const archive = Readable.from([Buffer.alloc(300_000, 1), Buffer.alloc(300_000, 2)]);
    expect(await collect(await client.images.load(archive))).toEqual([
      { status: 'Loading layer', id: 'abc', progressDetail: { current: 600_000 } },
      { stream: 'Loaded image: hello:latest\n' },
    ]);
  });

  it('throws what the engine reports after the progress has begun', async () => {
    const { client } = await serve((request, answer) => {
      request.resume();
      answer.end('{"status":"x"}\n{"errorDetail":{"message":"no space left"},"error":"no space left"}\n');
    });
    const progress = await client.images.load(Readable.from([Buffer.from('tar')]));
    await expect(collect(progress)).rejects.toMatchObject({ name: 'EngineError', message: 'no space left' });
  });

  it('gives the refusal of an engine that does not read the archive to its end', async () => {
    const { client } = await serve((_request, answer) => json(answer, { message: 'not an archive' }, 400));
    const archive = Readable.from(
      (function* () {
        for (let part = 0; part < 200; part++) yield Buffer.alloc(65_536);
      })(),
    );
    await expect(client.images.load(archive)).rejects.toMatchObject({ statusCode: 400, message: 'not an archive' });
  });

  it('gives the error of a source that cannot be read, not one of the connection', async () => {
    const failure = new Error('disk on fire');
    const { client } = await serve((request) => void request.resume());
    const archive = Readable.from(
      (async function* () {
        yield Buffer.from('x');
        throw failure;
      })(),
    );
    await expect(client.images.load(archive)).rejects.toBe(failure);
  });

  it('gives up after silence, not after total time', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    let arrived = Promise.withResolvers<void>();
    const { client } = await serve((request, answer) => {
      request.on('data', () => arrived.resolve()).once('end', () => json(answer, {}));
    });
    const archive = Readable.from(
      (async function* () {
        for (let part = 0; part < 8; part++) {
          arrived = Promise.withResolvers();
          vi.advanceTimersByTime(100);
          yield Buffer.from('x');
          await arrived.promise;
        }
      })(),
    );
    expect(await collect(await client.images.load(archive, {}, { timeoutMs: 120 }))).toEqual([{}]);
  });
});
