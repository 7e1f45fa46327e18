import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHostileRegistry, type HostileRegistry } from '../../peers/hostile-registry.ts';
import { anyAddress, type RunningRegistry, startRegistry } from '../../peers/registry.ts';
import { describeWith } from '../../skip.ts';
import { type Answer, call } from '../api.ts';
import { docker, eventually } from '../docker.ts';
import { pastEvents } from '../event-log.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

const secret = 'correct-horse>>??';
const users = { ada: secret };
const hello = 'hello:latest';
const hubAddress = 'https://index.docker.io/v1/';

describeWith(['linux', 'root', { program: 'crun' }, { program: 'apt-get' }], 'semantics: registries', () => {
  let engine: RunningEngine;
  let guarded: RunningRegistry;
  let tokens: RunningRegistry;
  let certified: RunningRegistry;
  let plain: RunningRegistry;
  let hostile: HostileRegistry;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'skiff-registries-'));
  const configFile = path.join(folder, 'daemon.json');
  const opened = new AsyncDisposableStack();

  beforeAll(async () => {
    writeFileSync(configFile, '{}');
    const use = async <T extends AsyncDisposable>(opening: Promise<T>): Promise<T> => opened.use(await opening);
    [guarded, tokens, certified, plain, hostile] = await Promise.all([
      use(startRegistry({ auth: 'basic', users })),
      use(startRegistry({ auth: 'token', users, tls: 'private-authority' })),
      use(startRegistry({ tls: 'private-authority', clients: 'certified' })),
      use(startRegistry()),
      use(startHostileRegistry()),
    ]);
    const certificates = [strict(tokens), strict(certified)];
    const flags = certificates.flatMap((certs) => ['--registry-certs', certs]);
    const realm = new URL(tokens.tokenServer?.realm ?? '');
    flags.push('--registry-token-server', `${anyAddress}=${realm.hostname}`);
    engine = await use(startEngine({ flags: ['--config-file', configFile, '--registry-silence', '30', ...flags] }));
  });
  afterAll(async () => {
    await opened.disposeAsync();
    rmSync(folder, { recursive: true });
  });

  /** The registry under a name that no engine takes for loopback, so that it has to prove who it is. */
  const strictHost = ({ host }: RunningRegistry): string => host.replace('127.0.0.1', anyAddress);
  const strict = (registry: RunningRegistry): string => registry.authority?.folderFor(strictHost(registry)) ?? '';
  const asHeader = (auth: object, alphabet: 'base64' | 'base64url' = 'base64url'): Record<string, string> => ({
    'X-Registry-Auth': Buffer.from(JSON.stringify(auth)).toString(alphabet),
  });
  const ada = { username: 'ada', password: secret };
  const pull = (name: string, headers: Record<string, string> = {}): Promise<Answer> =>
    call(engine.socket, 'POST', `/images/create?${new URLSearchParams({ fromImage: name })}`, undefined, headers);
  const pushHello = async (repository: string, headers: Record<string, string> = {}): Promise<Answer> => {
    await call(engine.socket, 'POST', `/images/${hello}/tag?repo=${repository}&tag=latest`);
    return call(engine.socket, 'POST', `/images/${repository}/push?tag=latest`, undefined, headers);
  };
  const login = (auth: object): Promise<Answer> => call(engine.socket, 'POST', '/auth', auth);

  describe('X-Registry-Auth', () => {
    it.each([
      ['in the alphabet for URLs', () => asHeader(ada)],
      ['in the standard alphabet', () => asHeader(ada, 'base64')],
      [
        'as the pair of a configuration file',
        () => asHeader({ auth: Buffer.from(`ada:${secret}`).toString('base64'), email: null }),
      ],
    ])('96: is read %s', async (_form, headers) => {
      expect((await pushHello(`${guarded.host}/team/app`, headers())).text).toContain('latest: digest: sha256:');
      expect((await pull(`${guarded.host}/team/app:latest`, headers())).text).toContain('Status: Image is up to date');
    });

    it.each([
      ['rubbish', { 'X-Registry-Auth': '%%%' }],
      ['an empty object', asHeader({})],
      ['nothing', {}],
    ])('96: that is %s counts as none', async (_what, headers) => {
      await pushHello(`${plain.host}/public/app`, headers as Record<string, string>);
      expect((await pull(`${plain.host}/public/app:latest`, headers as Record<string, string>)).status).toBe(200);
      const refused = await pull(`${guarded.host}/team/app:latest`, headers as Record<string, string>);
      expect(refused.json()).toEqual({ message: expect.stringMatching(/no basic auth credentials$/) as string });
    });

    it('96: with wrong credentials is refused in the words of the registry', async () => {
      const answer = await pull(`${guarded.host}/team/app:latest`, asHeader({ username: 'ada', password: 'wrong' }));
      expect(answer.json()).toEqual({ message: 'unauthorized: authentication required' });
    });
  });

  describe('tokens', () => {
    const app = (): string => `${strictHost(tokens)}/team/app`;
    const asked = (): readonly { readonly scopes: readonly string[]; readonly user: string | null }[] =>
      tokens.tokenServer?.requests ?? [];

    it('96: are asked for with the scope of what is done, once for many requests', async () => {
      const before = asked().length;
      expect((await pushHello(app(), asHeader(ada))).text).toContain('latest: digest: sha256:');
      expect((await pull(`${app()}:latest`, asHeader(ada))).status).toBe(200);
      expect(asked().slice(before)).toEqual([
        { method: 'GET', scopes: ['repository:team/app:pull,push'], user: 'ada', proof: 'basic' },
        { method: 'GET', scopes: ['repository:team/app:pull'], user: 'ada', proof: 'basic' },
      ]);
    });

    it('96: are had without a user where the registry lets anybody pull', async () => {
      expect((await pull(`${app()}:latest`)).status).toBe(200);
      expect(asked().at(-1)).toEqual({
        method: 'GET',
        scopes: ['repository:team/app:pull'],
        user: null,
        proof: 'none',
      });
    });

    it('96: of nobody do not open what is private', async () => {
      tokens.tokenServer?.privateNames.add('private/app');
      await pushHello(`${strictHost(tokens)}/private/app`, asHeader(ada));
      const answer = await pull(`${strictHost(tokens)}/private/app:latest`);
      expect([answer.status, answer.json()]).toEqual([
        404,
        {
          message: `pull access denied for ${strictHost(tokens)}/private/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`,
        },
      ]);
    });

    it('96: are had for the identity token that a login gave', async () => {
      const { IdentityToken } = (await login({ ...ada, serveraddress: strictHost(tokens) })).json() as {
        readonly IdentityToken: string;
      };
      expect(IdentityToken).toMatch(/^[0-9a-f]{24}$/);
      expect((await pull(`${app()}:latest`, asHeader({ identitytoken: IdentityToken }))).status).toBe(200);
      expect(asked().at(-1)).toEqual({
        method: 'POST',
        scopes: ['repository:team/app:pull'],
        user: 'ada',
        proof: 'identity-token',
      });
      const refused = await pull(`${app()}:latest`, asHeader({ identitytoken: 'stolen' }));
      expect([refused.status, refused.text]).toEqual([401, expect.stringContaining('unauthorized: incorrect')]);
    });

    it('96: that a client brings are sent as they are', async () => {
      const before = asked().length;
      const refused = await pull(`${app()}:latest`, asHeader({ registrytoken: 'a.b.c' }));
      expect([refused.status, refused.text]).toEqual([401, expect.stringContaining('unauthorized')]);
      expect(asked()).toHaveLength(before);
    });

    it('96: that end within a pull are had anew', async () => {
      hostile.calm();
      hostile.addImage('renewed', [Buffer.alloc(1024)]);
      const realm = `Bearer realm="${hostile.url}/token",service="x"`;
      const token = Buffer.from('{"token":"one"}');
      hostile.rule({ path: /^\/token/, act: { kind: 'bytes', bytes: token } });
      hostile.rule({ path: /^\/v2\/$/, act: { kind: 'status', status: 401, headers: { 'WWW-Authenticate': realm } } });
      const refusal = { kind: 'status', status: 401, headers: { 'WWW-Authenticate': realm } } as const;
      hostile.rule({ path: /blobs/, times: 1, act: refusal });
      expect((await pull(`${hostile.host}/app:renewed`)).text).toContain('Status: Downloaded newer image');
      expect(hostile.requests.filter(({ path }) => path.startsWith('/token'))).toHaveLength(2);
    });
  });

  describe('logins', () => {
    it('are checked at the registry', async () => {
      const at = { serveraddress: guarded.host };
      expect((await login({ ...ada, ...at })).json()).toEqual({ Status: 'Login Succeeded', IdentityToken: '' });
      expect(await login({ username: 'ada', password: 'wrong', ...at })).toMatchObject({
        status: 401,
        text: expect.stringContaining('failed with status: 401 Unauthorized') as string,
      });
      const nowhere = await login({ ...ada, serveraddress: '127.0.0.1:1' });
      expect([nowhere.status, nowhere.json()]).toEqual([
        500,
        { message: 'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused' },
      ]);
      expect((await login({ ...ada, serveraddress: 'a b' })).status).toBe(400);
    });

    it("are what docker's own command line needs", async () => {
      const config = ['--config', path.join(folder, 'docker')];
      const host = strictHost(tokens);
      const loggedIn = await docker(engine.socket, [...config, 'login', '-u', 'ada', '--password-stdin', host], secret);
      expect(loggedIn).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Login Succeeded') as string });
      await call(engine.socket, 'POST', `/images/${hello}/tag?repo=${host}/private/cli&tag=latest`);
      tokens.tokenServer?.privateNames.add('private/cli');
      expect(await docker(engine.socket, [...config, 'push', `${host}/private/cli`])).toMatchObject({ exitCode: 0 });
      expect(await docker(engine.socket, [...config, 'pull', `${host}/private/cli`])).toMatchObject({ exitCode: 0 });
    });
  });

  describe('proof of who a registry is', () => {
    it('is asked for where it is not on this computer, and had from certificates of its folder', async () => {
      const repository = `${strictHost(certified)}/team/app`;
      const stranger = await pull(`${repository}:latest`);
      expect(stranger.text).toContain('certificate required');
      certified.authority?.addClient(strictHost(certified));
      process.kill(engine.pid(), 'SIGHUP'); // certificates are read with the settings
      await eventually('the registry lets the engine in', async () =>
        (await pushHello(repository)).text.includes('digest: sha256:') ? true : null,
      );
      const { port } = new URL(`https://${guarded.host}`);
      const unknown = await pull(`${anyAddress}:${port}/team/app:latest`);
      expect(unknown.text).toContain('http: server gave HTTP response to HTTPS client');
    });

    it('that is signed by nobody who is known is refused', async () => {
      const tls = await startRegistry({ tls: 'private-authority' });
      try {
        const answer = await pull(`${strictHost(tls)}/x:latest`);
        expect([answer.status, answer.json()]).toEqual([
          500,
          {
            message: `Get "https://${strictHost(tls)}/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority`,
          },
        ]);
      } finally {
        await tls[Symbol.asyncDispose]();
      }
    });
  });

  describe('mirrors', () => {
    it('are asked first, get no credentials, and are read from the configuration again on HUP', async () => {
      hostile.calm();
      hostile.addImage('latest', [Buffer.alloc(1024)]);
      writeFileSync(configFile, JSON.stringify({ 'registry-mirrors': [hostile.url] }));
      process.kill(engine.pid(), 'SIGHUP');
      await eventually('info tells of the mirror', async () =>
        (await call(engine.socket, 'GET', '/info')).text.includes(hostile.url) ? true : null,
      );
      const pulled = await pull('mirrored:latest', asHeader({ ...ada, serveraddress: hubAddress }));
      expect(pulled.text).toContain('Status: Downloaded newer image for mirrored:latest');
      const paths = hostile.requests.map(({ path }) => path);
      expect(paths).toContain('/v2/library/mirrored/manifests/latest');
      expect(hostile.requests.filter(({ authorization }) => authorization !== undefined)).toEqual([]);
      const inspected = (await call(engine.socket, 'GET', '/images/mirrored/json')).json();
      expect(inspected).toMatchObject({ RepoTags: expect.arrayContaining(['mirrored:latest']) as string[] });
      const info = (await call(engine.socket, 'GET', '/info')).json();
      expect(info).toMatchObject({
        IndexServerAddress: hubAddress,
        RegistryConfig: {
          IndexConfigs: {
            'docker.io': { Name: 'docker.io', Mirrors: [`${hostile.url}/`], Secure: true, Official: true },
          },
          InsecureRegistryCIDRs: ['::1/128', '127.0.0.0/8'],
          Mirrors: [`${hostile.url}/`],
        },
      });
      const reloads = await pastEvents(engine.socket, { type: ['daemon'], event: ['reload'] });
      expect(reloads.at(-1)?.Actor.Attributes).toMatchObject({
        'registry-mirrors': JSON.stringify([`${hostile.url}/`]),
      });
    });

    it('stay as they are when the configuration has become wrong', async () => {
      writeFileSync(configFile, '{');
      process.kill(engine.pid(), 'SIGHUP');
      await eventually('the log says so', () => (engine.log().includes('was not read again') ? true : null));
      expect((await call(engine.socket, 'GET', '/info')).text).toContain(hostile.url);
      writeFileSync(configFile, '{}');
    });
  });

  describe('rate limits', () => {
    it('96: are waited for', async () => {
      hostile.calm();
      const { layers } = hostile.addImage('limited', [Buffer.alloc(10_240)]);
      const act = { kind: 'status', status: 429, headers: { 'Retry-After': '1' } } as const;
      hostile.rule({ path: /manifests/, times: 1, act });
      hostile.rule({ path: new RegExp(`/blobs/${layers[0] ?? ''}$`), times: 1, act });
      const { text } = await pull(`${hostile.host}/app:limited`);
      expect(text).toContain('"status":"Retrying in 1 second"');
      expect(text).toContain('Status: Downloaded newer image');
    });
  });

  describe('a look at a registry', () => {
    it('tells what stands behind a name, without pulling it', async () => {
      await pushHello(`${plain.host}/team/seen`);
      const answer = await call(engine.socket, 'GET', `/distribution/${plain.host}/team/seen/json`);
      expect(answer.json()).toEqual({
        Descriptor: {
          mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
          digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string,
          size: expect.any(Number) as number,
        },
        Platforms: [{ architecture: process.arch === 'x64' ? 'amd64' : process.arch, os: 'linux' }],
      });
      const missing = await call(engine.socket, 'GET', `/distribution/${plain.host}/team/unseen/json`);
      expect([missing.status, missing.json()]).toEqual([404, { message: 'manifest unknown: manifest unknown' }]);
    });

    it('finds repositories in an index, and without one by their names', async () => {
      hostile.calm();
      const results = [
        { name: 'tool', description: 'a tool', star_count: 7, is_official: true, is_trusted: false },
        { name: 'team/tool', description: null, star_count: 1 },
        { nothing: true },
      ];
      const bytes = Buffer.from(JSON.stringify({ query: 'tool', num_results: 3, results }));
      hostile.rule({ path: /^\/v1\/search\?q=tool&n=10$/, act: { kind: 'bytes', bytes } });
      const search = async (query: Record<string, string>): Promise<unknown> =>
        (await call(engine.socket, 'GET', `/images/search?${new URLSearchParams(query)}`)).json();
      const found = {
        star_count: 7,
        is_official: true,
        name: `${hostile.host}/tool`,
        is_automated: false,
        description: 'a tool',
      };
      expect(await search({ term: `${hostile.host}/tool`, limit: '10' })).toEqual([
        found,
        { ...found, star_count: 1, is_official: false, name: `${hostile.host}/team/tool`, description: '' },
      ]);
      const filters = JSON.stringify({ stars: ['3'], 'is-official': ['true'] });
      expect(await search({ term: `${hostile.host}/tool`, limit: '10', filters })).toEqual([found]);
      expect(await search({ term: `${plain.host}/seen` })).toMatchObject([{ name: `${plain.host}/team/seen` }]);
    });

    it.each([
      ['limit=101', 'limit 101 is outside the range of [1, 100]'],
      ['limit=a', 'invalid limit specified: strconv.Atoi: parsing "a": invalid syntax'],
      ['term=http://x/y', 'invalid repository name: repository name (http://x/y) should not have a scheme'],
      ['filters={"foo":["1"]}', "invalid filter 'foo'"],
      ['filters={"stars":["a"]}', `invalid filter 'stars=a': strconv.Atoi: parsing "a": invalid syntax`],
      ['filters={"is-official":["true","false"]}', "invalid filter 'is-official=[true false]'"],
    ])('refuses a search with %s', async (query, message) => {
      const answer = await call(engine.socket, 'GET', `/images/search?${encodeURI(query)}`);
      expect([answer.status, answer.json()]).toEqual([400, { message }]);
    });
  });

  it('96: no log line and no file of the engine holds a secret', () => {
    const encoded = Buffer.from(`ada:${secret}`).toString('base64');
    const files = globSync('*.db*', { cwd: engine.dataRoot }).map((name) => path.join(engine.dataRoot, name));
    expect(files.length).toBeGreaterThan(0);
    const said = [engine.log(), ...files.map((name) => readFileSync(name, 'latin1'))].join('\n');
    for (const leaked of [
      secret,
      encodeURIComponent(secret),
      encoded,
      Buffer.from(secret).toString('base64').slice(0, -2),
      'Bearer ey',
    ])
      expect(said).not.toContain(leaked);
    expect(engine.log()).toContain('unauthorized');
  });
});
