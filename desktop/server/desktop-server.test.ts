import { once } from 'node:events';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { connect as connectSocket } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../test/eventually.ts';
import { WebSocket } from 'ws';
import { openDesktopCore, type DesktopCore } from '../../test/peers/desktop-core.ts';
import { contract } from '../contract/contract.ts';
import { connect } from '../wire/connect.ts';
import { webSocketLink } from '../wire/web-socket-link.ts';
import { startDesktopServer, type DesktopServer, type DesktopServerOptions } from './desktop-server.ts';

interface Answer {
  readonly statusCode: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

describe('the desktop in a browser', () => {
  let folder: string;
  let desktop: DesktopCore;
  let server: DesktopServer;
  const faults: Error[] = [];

  const start = async (options: Partial<DesktopServerOptions> = {}): Promise<void> => {
    server = await startDesktopServer({
      services: desktop.core.services,
      rendererDir: join(folder, 'page'),
      report: (fault) => faults.push(fault),
      ...options,
    });
  };

  /** Byte for byte what is given: no client of ours tidies paths or headers up. */
  const ask = async (
    path: string,
    { headers = {}, method = 'GET', port = new URL(server.origin).port }: Asked = {},
  ): Promise<Answer> => {
    const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }).end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    return { statusCode: answer.statusCode, headers: answer.headers, body: await text(answer) };
  };

  const tokenPath = (url = server.url): string => url.slice(server.origin.length);
  const signIn = async (): Promise<string> => {
    const { headers } = await ask(tokenPath());
    return headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skiff-server-'));
    await mkdir(join(folder, 'page', 'assets'), { recursive: true });
    await writeFile(join(folder, 'page', 'index.html'), '<!doctype html><title>page</title>');
    await writeFile(join(folder, 'page', 'assets', 'a b.js'), 'export {};');
    await writeFile(join(folder, 'secret.txt'), 'secret');
    await symlink(join(folder, 'secret.txt'), join(folder, 'page', 'link.txt'));
    desktop = await openDesktopCore({ prepare: (machines) => machines.add('default') });
    await start();
  });

  afterEach(async () => {
    await server.close();
    await desktop[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
    expect(faults.splice(0)).toEqual([]);
  });

  it('listens on loopback alone, at a port that nobody can guess', async () => {
    expect(server.origin).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{43}$/);
    const others = (): string[] =>
      Object.values(networkInterfaces())
        .flatMap((all) => all ?? [])
        .filter(({ internal, family }) => !internal && family === 'IPv4')
        .map(({ address }) => address);
    for (const host of ['::1', ...others()]) {
      const elsewhere = connectSocket({ host, port: Number(new URL(server.origin).port), timeout: 10_000 });
      elsewhere.once('timeout', () => elsewhere.destroy(new Error('nobody answers')));
      const [error] = (await once(elsewhere, 'error')) as [NodeJS.ErrnoException];
      // Networks of containers come and go: an address that is not this computer's any more proves nothing.
      if (host === '::1' || others().includes(host))
        expect(error.code, host).toMatch(/ECONNREFUSED|EADDRNOTAVAIL|ENETUNREACH|EAFNOSUPPORT/);
    }
  });

  it('exchanges the token for a strict cookie and takes it out of the address', async () => {
    const { statusCode, headers } = await ask(tokenPath());
    expect(statusCode).toBe(303);
    expect(headers.location).toBe('/');
    expect(headers['set-cookie']).toEqual([
      expect.stringMatching(/^skiff-session-\d+=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/$/),
    ]);
    expect(headers['referrer-policy']).toBe('no-referrer');
  });

  it('serves the page to who has the cookie', async () => {
    const cookie = await signIn();
    const page = await ask('/', { headers: { cookie: `other=1; ${cookie}` } });
    expect(page).toMatchObject({ statusCode: 200, body: '<!doctype html><title>page</title>' });
    expect(page.headers['cache-control']).toBe('no-store');
    const script = await ask('/assets/a%20b.js', { headers: { cookie } });
    expect(script).toMatchObject({ statusCode: 200, body: 'export {};' });
    expect(script.headers['content-type']).toBe('text/javascript; charset=utf-8');
    expect(script.headers['cache-control']).toContain('immutable');
    const head = await ask('/', { headers: { cookie }, method: 'HEAD' });
    expect(head).toMatchObject({ statusCode: 200, body: '' });
  });

  it('refuses a token that has been used, saying so, but not to who is in already', async () => {
    const cookie = await signIn();
    const again = await ask(tokenPath());
    expect(again.statusCode).toBe(403);
    expect(again.body).toContain('This address has been used');
    expect(again.headers['set-cookie']).toBeUndefined();
    const known = await ask(tokenPath(), { headers: { cookie } });
    expect(known).toMatchObject({ statusCode: 303, headers: { location: '/' } });
    expect(known.headers['set-cookie']).toBeUndefined();
  });

  it('does not use the token up for a HEAD', async () => {
    expect(await ask(tokenPath(), { method: 'HEAD' })).toMatchObject({ statusCode: 403 });
    expect(await ask(tokenPath())).toMatchObject({ statusCode: 303 });
  });

  it('issues further addresses, each good once', async () => {
    const second = server.newUrl();
    expect(second).not.toBe(server.url);
    expect(await ask(tokenPath(second))).toMatchObject({ statusCode: 303 });
    expect(await ask(tokenPath(second))).toMatchObject({ statusCode: 403 });
    expect(await ask(tokenPath())).toMatchObject({ statusCode: 303 });
  });

  it.each(['', 'skiff-session-1=x', 'skiff-session-PORT=wrong', 'skiff-session-PORT='])(
    'refuses the cookie `%s`, to page and file alike',
    async (template) => {
      const cookie = template.replace('PORT', new URL(server.origin).port);
      for (const path of ['/', '/assets/a%20b.js', '/no-such-file']) {
        const answer = await ask(path, { headers: cookie === '' ? {} : { cookie } });
        expect(answer.statusCode).toBe(401);
        expect(answer.body).toContain('This browser is not known to Skiff');
      }
    },
  );

  it('refuses every Host but its own, before it looks at anything else', async () => {
    const cookie = await signIn();
    const { port } = new URL(server.origin);
    for (const host of [
      `localhost:${port}`,
      `evil.example:${port}`,
      '127.0.0.1',
      `127.0.0.1.:${port}`,
      `127.1:${port}`,
    ]) {
      expect(await ask('/', { headers: { cookie, host } }), host).toMatchObject({ statusCode: 421 });
      expect(await ask(tokenPath(server.newUrl()), { headers: { host } }), host).toMatchObject({ statusCode: 421 });
    }
  });

  it('refuses every Origin but its own', async () => {
    const cookie = await signIn();
    const foreign = ['null', 'http://evil.example', server.origin.replace('http:', 'https:'), `${server.origin}0`];
    for (const origin of foreign) {
      const answer = await ask('/', { headers: { cookie, origin } });
      expect(answer.statusCode, origin).toBe(403);
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    }
    expect(await ask('/', { headers: { cookie, origin: server.origin } })).toMatchObject({ statusCode: 200 });
  });

  it('refuses methods that change things, and preflights', async () => {
    const cookie = await signIn();
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      expect(await ask('/', { headers: { cookie }, method }), method).toMatchObject({ statusCode: 405 });
    }
  });

  it.each([
    '/../secret.txt',
    '/assets/../../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/..%5csecret.txt',
    '//etc/passwd',
    '/link.txt',
    '/assets',
    '/index.html/',
    '/%',
    '/%00',
    '/__proto__',
  ])('finds nothing at %s', async (path) => {
    const answer = await ask(path, { headers: { cookie: await signIn() } });
    expect(answer.statusCode).toBe(404);
    expect(answer.body).not.toContain('root:');
    expect(answer.body).not.toContain('secret');
  });

  it('sends strict headers with every answer, refusals too', async () => {
    const cookie = await signIn();
    for (const answer of [
      await ask('/', { headers: { cookie } }),
      await ask('/'),
      await ask(tokenPath()),
      await ask('/', { headers: { host: 'evil.example' } }),
    ]) {
      const policy = answer.headers['content-security-policy'] ?? '';
      expect(policy).toContain("default-src 'none'; script-src 'self'; ");
      expect(policy).toContain(`connect-src 'self' ${server.origin.replace('http', 'ws')};`);
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain('unsafe-eval');
      expect(answer.headers['x-content-type-options']).toBe('nosniff');
      expect(answer.headers['x-frame-options']).toBe('DENY');
      expect(answer.headers['cross-origin-resource-policy']).toBe('same-origin');
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    }
  });

  describe('its link', () => {
    const dial = (options: { path?: string; headers?: Record<string, string> } = {}): WebSocket =>
      new WebSocket(`${server.origin.replace('http', 'ws')}${options.path ?? '/link'}`, {
        headers: options.headers ?? {},
      });
    const refusedWith = async (socket: WebSocket): Promise<number | undefined> => {
      socket.on('error', () => {}); // ws tells of the refusal a second time.
      const [, answer] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
      return answer.statusCode;
    };

    it('serves the contract', async () => {
      const cookie = await signIn();
      const socket = dial({ headers: { cookie, origin: server.origin } });
      const { client, close, closed } = connect({ contract, link: webSocketLink(socket), checkOutputs: true });
      expect(await client.app.info()).toMatchObject({ version: '0.0.0-test', defaultMachine: 'default' });
      for await (const update of client.machines.watch()) {
        expect(update.kind === 'snapshot' && update.items.map(({ name }) => name)).toEqual(['default']);
        break;
      }
      expect(server.openPages).toBe(1);
      close();
      await closed;
      await eventually(() => server.openPages).toBe(0);
    });

    it('is refused without the cookie, with another Origin or Host or none, and elsewhere', async () => {
      const cookie = await signIn();
      const { origin } = server;
      const { host } = new URL(origin);
      expect(await refusedWith(dial({ headers: { origin } }))).toBe(401);
      expect(await refusedWith(dial({ headers: { origin, cookie: 'skiff-session-1=x' } }))).toBe(401);
      expect(await refusedWith(dial({ headers: { cookie } }))).toBe(403);
      expect(await refusedWith(dial({ headers: { cookie, origin: 'http://evil.example' } }))).toBe(403);
      expect(await refusedWith(dial({ headers: { cookie, origin: 'null' } }))).toBe(403);
      const rebound = { cookie, origin: `http://${host.replace('127.0.0.1', 'localhost')}` };
      expect(await refusedWith(dial({ headers: { ...rebound, host: host.replace('127.0.0.1', 'localhost') } }))).toBe(
        421,
      );
      expect(await refusedWith(dial({ path: '/', headers: { cookie, origin } }))).toBe(404);
      expect(await refusedWith(dial({ path: '/link?x', headers: { cookie, origin } }))).toBe(404);
      expect(server.openPages).toBe(0);
    });

    it('is closed for a peer that sends nonsense or too much, and the server goes on', async () => {
      const cookie = await signIn();
      const headers = { cookie, origin: server.origin };
      for (const message of ['nonsense', '[]', Buffer.alloc(5 * 1024 * 1024)]) {
        const socket = dial({ headers });
        await once(socket, 'open');
        socket.send(message);
        await once(socket, 'close');
      }
      expect(await ask('/', { headers: { cookie } })).toMatchObject({ statusCode: 200 });
    });

    it('is told when the server closes', async () => {
      const cookie = await signIn();
      const socket = dial({ headers: { cookie, origin: server.origin } });
      const { closed, client } = connect({ contract, link: webSocketLink(socket) });
      await client.app.info();
      await server.close();
      expect(await closed).toBe('Skiff was closed');
    });
  });

  it('calls once when nobody has looked for a while', async () => {
    await server.close();
    const idle = Promise.withResolvers<void>();
    await start({ idle: { afterMs: 20, onIdle: idle.resolve } });
    await idle.promise;
  });

  it('says what to do where the page is not built or the port is taken', async () => {
    const rendererDir = join(folder, 'nothing');
    await expect(
      startDesktopServer({ services: desktop.core.services, rendererDir, report: () => {} }),
    ).rejects.toThrow('npm run build');
    const port = Number(new URL(server.origin).port);
    const options = { services: desktop.core.services, rendererDir: join(folder, 'page'), port, report: () => {} };
    await expect(startDesktopServer(options)).rejects.toThrow('EADDRINUSE');
  });
});

interface Asked {
  readonly headers?: Record<string, string>;
  readonly method?: string;
  readonly port?: string;
}
