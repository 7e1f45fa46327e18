/** The client against a registry that does what registries must not do. */
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type HostileRegistry, sha256, startHostileRegistry } from '../../test/peers/hostile-registry.ts';
import { parseDigest } from '../model/ids.ts';
import type { OpenRegistries } from './open-registries.ts';
import type { Repository } from './registry.ts';
import { ada, collected, nobody, openWorld, repositoryOf } from './registry-world.ts';

let registry: HostileRegistry;
let elsewhere: HostileRegistry;
let registries: OpenRegistries;
const blob = randomBytes(300_000);
const digest = parseDigest(sha256(blob));

beforeAll(async () => {
  [registry, elsewhere] = await Promise.all([startHostileRegistry(), startHostileRegistry()]);
  registries = openWorld();
  registry.addImage('v1', [Buffer.alloc(1024)]);
  registry.blobs.set(digest, blob);
  elsewhere.blobs.set(digest, blob);
});
afterEach(() => {
  registry.calm();
  elsewhere.calm();
  registries[Symbol.dispose]();
  registries = openWorld();
});
afterAll(async () => {
  registries[Symbol.dispose]();
  await registry[Symbol.asyncDispose]();
  await elsewhere[Symbol.asyncDispose]();
});

/** For silence that is to be noticed; elsewhere a busy computer must not be taken for it. */
const beImpatient = (): void => {
  registries[Symbol.dispose]();
  registries = openWorld({ silenceMs: 400 });
};
const signal = (): AbortSignal => AbortSignal.timeout(50_000);
const app = (credentials = nobody): Repository => repositoryOf(registries, `${registry.host}/app`, { credentials });
const fetchBlob = async (repository = app(), offset = 0): Promise<Buffer> =>
  collected((await repository.blob(digest, { signal: signal(), offset })).bytes);

describe('blobs', () => {
  it('go on where they were cut off', async () => {
    registry.rule({ path: /blobs/, times: 1, act: { kind: 'cut', afterBytes: 100_000 } });
    registry.rule({ path: /blobs/, times: 1, act: { kind: 'cut', afterBytes: 50_000 } });
    expect((await fetchBlob()).equals(blob)).toBe(true);
    const asked = registry.requests.filter(({ path }) => path.includes('blobs'));
    expect(asked.map(({ range, sentBytes }) => [range, sentBytes])).toEqual([
      [undefined, 100_000],
      ['bytes=100000-', 50_000],
      ['bytes=150000-', 150_000],
    ]);
  });

  it('go on after a cut where the registry knows no ranges', async () => {
    registry.rule({ path: /blobs/, times: 1, act: { kind: 'cut', afterBytes: 100_000 } });
    registry.rule({ path: /blobs/, times: 1, act: { kind: 'whole' } });
    expect((await fetchBlob()).equals(blob)).toBe(true);
  });

  it('begin at 0 where the registry knows no ranges, and say so', async () => {
    registry.rule({ path: /blobs/, act: { kind: 'whole' } });
    const { offset, sizeBytes, bytes } = await app().blob(digest, { signal: signal(), offset: 1000 });
    expect([offset, sizeBytes, (await collected(bytes)).equals(blob)]).toEqual([0, blob.length, true]);
  });

  it('begin at 0 when the offset is behind the end', async () => {
    registry.rule({ path: /blobs/, times: 1, act: { kind: 'status', status: 416 } });
    const { offset, bytes } = await app().blob(digest, { signal: signal(), offset: blob.length + 5 });
    expect([offset, (await collected(bytes)).equals(blob)]).toEqual([0, true]);
  });

  it('end with an error when no try makes headway', async () => {
    registry.rule({ path: /blobs/, act: { kind: 'cut', afterBytes: 0 } });
    await expect(fetchBlob()).rejects.toThrow(/unexpected EOF|EOF|connection reset/);
    expect(registry.requests.filter(({ path }) => path.includes('blobs')).length).toBeLessThanOrEqual(9);
  });

  it('that stall are asked for again', async () => {
    beImpatient();
    registry.rule({ path: /blobs/, times: 1, act: { kind: 'drip', bytes: 0, everyMs: 60_000 } });
    expect((await fetchBlob()).equals(blob)).toBe(true);
  });

  it('that drip do not hold a pull for ever', async () => {
    beImpatient();
    registry.rule({ path: /blobs/, act: { kind: 'drip', bytes: 1, everyMs: 40 } });
    await expect(fetchBlob()).rejects.toThrow('the registry stopped sending');
  });

  it('of another range than the one that was asked for are refused', async () => {
    registry.rule({ path: /blobs/, act: { kind: 'headers', headers: { 'Content-Range': 'bytes 0-9/10' } } });
    await expect(fetchBlob(app(), 1000)).rejects.toThrow(
      'was asked for the bytes from 1000 on and sends "bytes 0-9/10"',
    );
  });

  it('are not waited for any longer than their client wants', async () => {
    registry.rule({ path: /blobs/, act: { kind: 'silence' } });
    const abort = new AbortController();
    const fetching = app().blob(digest, { signal: abort.signal, offset: 0 });
    await expect.poll(() => registry.requests.some(({ path }) => path.includes('blobs'))).toBe(true);
    abort.abort(new Error('the client has gone'));
    await expect(fetching).rejects.toThrow();
  });
});

describe('refusals', () => {
  it('of a server in trouble are tried again, and then told', async () => {
    registry.rule({ path: /manifests/, times: 2, act: { kind: 'status', status: 502 } });
    expect((await app().manifest('v1', { signal: signal() })).mediaType).toContain('manifest');
    registry.calm();
    registry.rule({ path: /manifests/, act: { kind: 'status', status: 500 } });
    await expect(app().manifest('v1', { signal: signal() })).rejects.toThrow(
      'received unexpected HTTP status: 500 Internal Server Error',
    );
  });

  it('for too many requests are waited for as long as the registry says', async () => {
    const waits: number[] = [];
    registry.rule({
      path: /manifests/,
      times: 1,
      act: { kind: 'status', status: 429, headers: { 'Retry-After': '1' } },
    });
    await app().manifest('v1', { signal: signal(), onWait: (ms) => waits.push(ms) });
    expect(waits).toEqual([1000]);
  });

  it.each([
    ['without a time', {}],
    ['for longer than anybody would wait', { 'Retry-After': '86400' }],
  ])('for too many requests %s are told at once', async (_what, headers) => {
    const body = { errors: [{ code: 'TOOMANYREQUESTS', message: 'You have reached your pull rate limit' }] };
    registry.rule({ path: /manifests/, act: { kind: 'status', status: 429, headers, body } });
    await expect(app().manifest('v1', { signal: signal() })).rejects.toThrow(
      'toomanyrequests: You have reached your pull rate limit',
    );
    expect(registry.requests.filter(({ path }) => path.includes('manifests'))).toHaveLength(1);
  });

  it.each([
    [404, 'MANIFEST_UNKNOWN', 'not-found', 'manifest for HOST/app:v1 not found: manifest unknown: no such thing'],
    [404, 'NAME_UNKNOWN', 'not-found', 'repository HOST/app not found: name unknown: no such thing'],
    [
      401,
      'DENIED',
      'not-found',
      "pull access denied for HOST/app, repository does not exist or may require 'docker login': denied: no such thing",
    ],
    [401, 'UNAUTHORIZED', 'unauthorized', 'unauthorized: no such thing'],
    [400, 'UNSUPPORTED', 'internal', 'unsupported: no such thing'],
  ])('%i %s read as dockerd tells them', async (status, code, kind, message) => {
    const body = { errors: [{ code, message: 'no such thing' }] };
    registry.rule({ path: /manifests/, act: { kind: 'status', status, body } });
    await expect(app().manifest('v1', { signal: signal() })).rejects.toMatchObject({
      kind,
      message: message.replace('HOST', registry.host),
    });
  });

  it('that are pages of something else are quoted in part', async () => {
    registry.rule({ path: /manifests/, act: { kind: 'status', status: 418, body: `<html>${'x'.repeat(10_000)}` } });
    await expect(app().manifest('v1', { signal: signal() })).rejects.toThrow(
      /^error parsing HTTP 418 response body: "<html>x{194}"$/,
    );
  });
});

describe('manifests', () => {
  it('that were had lately are asked for by digest alone, as often as they are wanted', async () => {
    const first = await app().manifest('v1', { signal: signal() });
    expect(await app().manifest('v1', { signal: signal() })).toEqual(first);
    registry.addImage('v1', [Buffer.alloc(2048)]);
    const moved = await app().manifest('v1', { signal: signal() });
    expect(moved.digest).not.toBe(first.digest);
    const asked = registry.requests.filter(({ path }) => path.includes('manifests')).map(({ method }) => method);
    expect(asked).toEqual(['GET', 'HEAD', 'HEAD', 'GET']);
    registry.rule({ path: /manifests/, method: 'HEAD', act: { kind: 'status', status: 405 } });
    expect(await app().manifest('v1', { signal: signal() })).toEqual(moved);
  });

  it('with other bytes than their digest are refused', async () => {
    const { digest: wanted } = await app().manifest('v1', { signal: signal() });
    registry.rule({ path: /manifests/, act: { kind: 'bytes', bytes: Buffer.from('{"schemaVersion":2}') } });
    await expect(app().manifest(wanted, { signal: signal() })).rejects.toThrow(
      `manifest verification failed for digest ${wanted}`,
    );
  });

  it('with other bytes than the registry says are refused', async () => {
    const headers = { 'Docker-Content-Digest': `sha256:${'0'.repeat(64)}` };
    registry.rule({ path: /manifests/, act: { kind: 'headers', headers } });
    await expect(app().manifest('v1', { signal: signal() })).rejects.toThrow('manifest verification failed');
  });

  it('with a digest that is a path are refused', async () => {
    const headers = { 'Docker-Content-Digest': '../../../etc/passwd' };
    registry.rule({ path: /manifests/, act: { kind: 'headers', headers } });
    await expect(app().manifest('v1', { signal: signal() })).rejects.toThrow(
      'sends a digest for HOST/app:v1 that is none: "../../../etc/passwd"'.replace('HOST', registry.host),
    );
  });

  it('of ten megabytes are not taken into memory', async () => {
    const act = { kind: 'bytes', bytes: Buffer.alloc(10_000_000, ' ') } as const;
    registry.rule({ path: /manifests/, times: 1, act });
    await expect(app().manifest('v1', { signal: signal() })).rejects.toThrow('is larger than 4194304 bytes');
    const headers = { 'Content-Length': undefined, 'Transfer-Encoding': 'chunked' };
    registry.rule({ path: /manifests/, times: 1, act: { ...act, headers } });
    await expect(app().manifest('v1', { signal: signal() })).rejects.toThrow('is larger than 4194304 bytes');
  });

  it('whose header names another kind than they do themselves are refused', async () => {
    const headers = { 'Content-Type': 'application/vnd.oci.image.index.v1+json' };
    registry.rule({ path: /manifests/, act: { kind: 'headers', headers } });
    await expect(app().manifest('v1', { signal: signal() })).rejects.toThrow(
      'says "application/vnd.docker.distribution',
    );
  });

  it('that are no JSON are refused', async () => {
    registry.rule({ path: /manifests/, act: { kind: 'bytes', bytes: Buffer.from('<html>') } });
    await expect(app().manifest('v1', { signal: signal() })).rejects.toThrow('is no JSON');
  });
});

describe('answers that nobody wants', () => {
  it('are not read for ever', async () => {
    beImpatient();
    const endless = { kind: 'drip', bytes: 65_536, everyMs: 5 } as const;
    registry.rule({ path: /^\/v2\/$/, act: endless });
    await app().manifest('v1', { signal: signal() });
    const greeting = registry.requests.find(({ path }) => path === '/v2/');
    await expect.poll(() => registry.open()).toBe(0);
    expect(greeting?.sentBytes).toBeLessThan(10_000_000);
  });
});

describe('redirects', () => {
  it('of blobs go to another host without the proof', async () => {
    registry.rule({
      path: /^\/v2\/$/,
      act: { kind: 'status', status: 401, headers: { 'WWW-Authenticate': 'Basic realm="x"' } },
    });
    registry.rule({
      path: /blobs/,
      act: { kind: 'redirect', to: `${elsewhere.url}/v2/cdn/blobs/${digest}?signature=1` },
    });
    expect((await fetchBlob(app(ada))).equals(blob)).toBe(true);
    expect(registry.requests.at(-1)?.authorization).toMatch(/^Basic /);
    expect(elsewhere.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  it('to a host that asks for credentials do not get them', async () => {
    registry.rule({ path: /blobs/, act: { kind: 'redirect', to: `${elsewhere.url}/v2/cdn/blobs/${digest}` } });
    const headers = { 'WWW-Authenticate': 'Basic realm="give them to me"' };
    elsewhere.rule({ path: /./, act: { kind: 'status', status: 401, headers } });
    await expect(fetchBlob(app(ada))).rejects.toThrow('unauthorized');
    expect(elsewhere.requests.filter(({ authorization }) => authorization !== undefined)).toEqual([]);
  });

  it('that go round end', async () => {
    registry.rule({ path: /blobs/, act: { kind: 'redirect', to: `/v2/app/blobs/${digest}` } });
    await expect(fetchBlob()).rejects.toThrow('stopped after 10 redirects');
    expect(registry.requests.length).toBeLessThan(15);
  });

  it('to what is no web address are refused', async () => {
    registry.rule({ path: /blobs/, act: { kind: 'redirect', to: 'file:///etc/shadow' } });
    await expect(fetchBlob()).rejects.toThrow('redirects to what is no web address');
  });
});

describe('token servers', () => {
  const challenge = (realm: string): object => ({ 'WWW-Authenticate': `Bearer realm="${realm}",service="x"` });
  const asksFor = (realm: string): void => {
    registry.rule({ path: /./, act: { kind: 'status', status: 401, headers: { ...challenge(realm) } } });
  };

  it('on another host get no credentials', async () => {
    asksFor('https://evil.example/token');
    await expect(app(ada).manifest('v1', { signal: signal() })).rejects.toThrow(
      /credentials are not sent to another host; .*--registry-token-server 127\.0\.0\.1:\d+=evil\.example/,
    );
  });

  it('over plain HTTP are not asked, unless they are on this computer or the registry itself', async () => {
    asksFor('http://evil.example/token');
    await expect(app().manifest('v1', { signal: signal() })).rejects.toThrow('tokens are not fetched over plain HTTP');
  });

  it('that redirect do not get the credentials followed', async () => {
    asksFor(`http://${registry.host.replace('127.0.0.1', '127.0.0.1')}/token`);
    await expect(app(ada).manifest('v1', { signal: signal() })).rejects.toThrow('unauthorized');
    registry.calm();
    registry.rule({ path: /token/, act: { kind: 'redirect', to: `${elsewhere.url}/token` } });
    asksFor(`${registry.url}/token`);
    await expect(app(ada).manifest('v1', { signal: signal() })).rejects.toThrow('credentials do not follow');
    expect(elsewhere.requests).toEqual([]);
  });

  it.each([
    ['no token', '{}', 'did not include a token'],
    ['no JSON', 'hello', 'it is no JSON object'],
    ['far too much', 'x'.repeat(1_000_000), 'larger than 262144 bytes'],
  ])('that answer %s are named', async (_what, body, message) => {
    registry.rule({ path: /token/, act: { kind: 'bytes', bytes: Buffer.from(body) } });
    asksFor(`${registry.url}/token`);
    await expect(app().manifest('v1', { signal: signal() })).rejects.toThrow(message);
  });

  it('never see a password in the text of an error', async () => {
    const messages: string[] = [];
    for (const realm of [
      `${registry.url}/token`,
      'https://evil.example/t',
      'https://u:p4ss@evil.example/t',
      'nonsense',
    ]) {
      registry.calm();
      asksFor(realm);
      await app(ada)
        .manifest('v1', { signal: signal() })
        .catch((error: Error) => messages.push(`${error.message} ${String(error.cause)} ${error.stack ?? ''}`));
    }
    expect(messages).toHaveLength(4);
    expect(messages.join('\n')).not.toMatch(/lovelace-s3cret|bG92ZWxhY2|YWRhOmxv|p4ss/);
  });
});
