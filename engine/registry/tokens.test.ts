import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type HostileRegistry, startHostileRegistry } from '../../test/peers/hostile-registry.ts';
import type { Credentials } from './registry.ts';
import { ada, nobody, quietSettings } from './registry-world.ts';
import { Tokens } from './tokens.ts';
import { Wire } from './wire.ts';

describe('tokens', () => {
  let server: HostileRegistry;
  const wire = new Wire(quietSettings);
  let nowMs = 0;
  beforeAll(async () => {
    server = await startHostileRegistry();
  });
  beforeEach(() => {
    server.calm();
    nowMs = 1_000_000;
  });
  afterAll(async () => {
    wire[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
  });

  const answers = (body: object): void =>
    server.rule({ path: /token/, act: { kind: 'bytes', bytes: Buffer.from(JSON.stringify(body)) } });
  const open = (): Tokens => new Tokens({ wire, settings: quietSettings, nowMs: () => nowMs });
  const ask = async (tokens: Tokens, scope: string, credentials: Credentials = nobody): Promise<string> => {
    const { text } = await tokens.token({
      registry: new URL(server.url),
      challenge: { scheme: 'bearer', parameters: { realm: `${server.url}/token`, service: 'a registry' } },
      scopes: [scope],
      credentials,
      signal: AbortSignal.timeout(30_000),
      freshness: 'kept',
      purpose: 'access',
    });
    return text;
  };

  it('are kept for as long as they live, less a margin', async () => {
    answers({ access_token: 'one', expires_in: 300 });
    const tokens = open();
    expect(await ask(tokens, 'repository:a:pull')).toBe('one');
    nowMs += 289_000;
    await ask(tokens, 'repository:a:pull');
    expect(server.requests).toHaveLength(1);
    nowMs += 2000;
    await ask(tokens, 'repository:a:pull');
    expect(server.requests).toHaveLength(2);
  });

  it.each([
    ['a minute where the server does not say', { token: 't' }, 49_000, 51_000],
    ['half their life when that is short', { token: 't', expires_in: 4 }, 1900, 2100],
    ['a minute where the server says nonsense', { token: 't', expires_in: -5 }, 49_000, 51_000],
  ])('are kept for %s', async (_what, body, before, after) => {
    answers(body);
    const tokens = open();
    await ask(tokens, 'repository:a:pull');
    nowMs += before;
    await ask(tokens, 'repository:a:pull');
    expect(server.requests).toHaveLength(1);
    nowMs += after - before;
    await ask(tokens, 'repository:a:pull');
    expect(server.requests).toHaveLength(2);
  });

  it('are kept for one user and one scope', async () => {
    answers({ token: 't', expires_in: 300 });
    const tokens = open();
    const other: Credentials = { kind: 'basic', user: 'ada', password: 'another' };
    for (const credentials of [nobody, ada, other, ada, nobody])
      for (const scope of ['repository:a:pull', 'repository:b:pull']) await ask(tokens, scope, credentials);
    expect(server.requests).toHaveLength(6);
  });

  it('are asked for with service, scope and account, and the password in the header alone', async () => {
    answers({ token: 't' });
    await ask(open(), 'repository:a:pull,push', ada);
    const [{ path, authorization } = { path: '', authorization: undefined }] = server.requests;
    expect([...new URL(path, server.url).searchParams]).toEqual([
      ['service', 'a registry'],
      ['scope', 'repository:a:pull,push'],
      ['account', 'ada'],
    ]);
    expect(authorization).toBe(`Basic ${Buffer.from('ada:lovelace-s3cret').toString('base64')}`);
  });
});
