/** Uploads and proxies against a registry that does what registries must not do. */
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type HostileRegistry, sha256, startHostileRegistry } from '../../test/peers/hostile-registry.ts';
import { startProxy } from '../../test/peers/proxy.ts';
import { parseDigest } from '../model/ids.ts';
import type { OpenRegistries } from './open-registries.ts';
import type { BlobSource, Repository } from './registry.ts';
import { ada, openWorld, repositoryOf } from './registry-world.ts';

let registry: HostileRegistry;
let elsewhere: HostileRegistry;
let registries: OpenRegistries;

beforeAll(async () => {
  [registry, elsewhere] = await Promise.all([startHostileRegistry(), startHostileRegistry()]);
  registries = openWorld();
  registry.addImage('v1', [Buffer.alloc(1024)]);
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

const signal = (): AbortSignal => AbortSignal.timeout(50_000);

describe('proxies', () => {
  it('hand on what is plain, without credentials of theirs', async () => {
    await using proxy = await startProxy(registry.host);
    const settings = {
      insecure: ['registry.example'],
      proxy: { http: proxy.url, https: 'http://127.0.0.1:1', none: null },
    };
    using through = openWorld(settings);
    await repositoryOf(through, 'registry.example/app').manifest('v1', { signal: signal() });
    expect(proxy.requests.map(({ method, target }) => [method, target])).toEqual([
      ['GET', 'http://registry.example/v2/'],
      ['GET', 'http://registry.example/v2/app/manifests/v1'],
    ]);
  });

  it('that are not there are named', async () => {
    using through = openWorld({ proxy: { http: null, https: 'http://u:pr0xy@127.0.0.1:1', none: null } });
    const failing = repositoryOf(through, 'registry.example/app').manifest('v1', { signal: signal() });
    await expect(failing).rejects.toThrow(/^(?!.*pr0xy).*127\.0\.0\.1:1: connect: connection refused/);
  });
});

describe('uploads', () => {
  const toPush = (): Repository =>
    repositoryOf(registries, `${registry.host}/app`, { purpose: 'push', credentials: ada });
  const upload = async (bytes: Buffer): Promise<number> => {
    let opened = 0;
    async function* chunks(): AsyncGenerator<Buffer> {
      for (let at = 0; at < bytes.length; at += 65_536) yield await Promise.resolve(bytes.subarray(at, at + 65_536));
    }
    const open = (): BlobSource => {
      opened += 1;
      return { bytes: chunks(), result: () => ({ digest: parseDigest(sha256(bytes)), sizeBytes: bytes.length }) };
    };
    await toPush().putBlob(open, { signal: signal() });
    return opened;
  };
  const patches = (at: HostileRegistry): number => at.requests.filter(({ method }) => method === 'PATCH').length;

  it('go on behind what the registry has when they are cut off', async () => {
    const bytes = randomBytes(2_000_000);
    registry.uploads.cutNext(500_000);
    registry.uploads.cutNext(1_200_000);
    expect(await upload(bytes)).toBe(3);
    expect(registry.blobs.get(sha256(bytes))?.equals(bytes)).toBe(true);
    expect(registry.requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
  });

  it('go on at another host when the registry says so, without the proof', async () => {
    const headers = { 'WWW-Authenticate': 'Basic realm="x"' };
    registry.rule({ path: /^\/v2\/$/, act: { kind: 'status', status: 401, headers } });
    const bytes = randomBytes(200_000);
    elsewhere.rule({
      path: /blobs/,
      method: 'PATCH',
      act: { kind: 'status', status: 202, headers: { Location: '/next?x=1' } },
    });
    elsewhere.rule({ path: /next\?x=1&digest=sha256%3A/, method: 'PUT', act: { kind: 'status', status: 201 } });
    registry.uploads.locationPrefix = elsewhere.url;
    try {
      await upload(bytes);
    } finally {
      registry.uploads.locationPrefix = '';
    }
    expect(elsewhere.requests.map(({ method, authorization }) => [method, authorization])).toEqual([
      ['PATCH', undefined],
      ['PUT', undefined],
    ]);
    expect(registry.requests.find(({ method }) => method === 'POST')?.authorization).toMatch(/^Basic /);
  });

  it('that are refused before they are out end at once', async () => {
    const body = { errors: [{ code: 'SIZE_INVALID', message: 'too large' }] };
    registry.rule({ path: /uploads/, method: 'PATCH', act: { kind: 'status', status: 413, body } });
    await expect(upload(randomBytes(5_000_000))).rejects.toThrow('size invalid: too large');
    expect(patches(registry)).toBe(1);
  });

  it('to a registry that takes nothing more end', async () => {
    registry.rule({ path: /uploads/, method: 'PATCH', act: { kind: 'silence' } });
    registries[Symbol.dispose]();
    registries = openWorld({ silenceMs: 50 });
    await expect(upload(Buffer.alloc(100))).rejects.toThrow('timeout awaiting response headers');
  });

  it('whose place is not told are refused', async () => {
    registry.rule({ path: /uploads/, act: { kind: 'status', status: 202 } });
    await expect(upload(Buffer.alloc(10))).rejects.toThrow('does not say where the upload goes on');
  });
});
