/** The client against Debian's registry, behind a door that can be slammed. */
import { createHash, randomBytes } from 'node:crypto';
import net from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startProxy } from '../../test/peers/proxy.ts';
import { proxiedName, type RunningRegistry, startRegistry } from '../../test/peers/registry.ts';
import { describeWith } from '../../test/skip.ts';
import { type Digest, parseDigest } from '../model/ids.ts';
import type { OpenRegistries } from './open-registries.ts';
import type { BlobSource, RemoteManifest, Repository } from './registry.ts';
import { ada, collected, openWorld, repositoryOf } from './registry-world.ts';

const digestOf = (bytes: Buffer): Digest => parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
const chunkBytes = 64 * 1024;

/** Counts how often it is opened, and what is taken of it. */
function sourceOf(bytes: Buffer): { readonly open: () => BlobSource; readonly opened: () => number } {
  let opened = 0;
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += chunkBytes)
      yield await Promise.resolve(bytes.subarray(at, at + chunkBytes));
  }
  return {
    opened: () => opened,
    open() {
      opened += 1;
      return { bytes: chunks(), result: () => ({ digest: digestOf(bytes), sizeBytes: bytes.length }) };
    },
  };
}

/** Hands connections on to a port, and cuts the first ones after so many bytes from the client. */
async function startDoor(port: number, cutAfter: number[]): Promise<AsyncDisposable & { readonly host: string }> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((client) => {
    const registry = net.connect(port, '127.0.0.1');
    for (const socket of [client, registry]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket)).on('error', () => undefined);
    }
    let left = Number.POSITIVE_INFINITY;
    client.on('data', (chunk: Buffer) => {
      if (left === Number.POSITIVE_INFINITY && chunk.includes('PATCH ')) left = cutAfter.shift() ?? left;
      registry.write(chunk);
      left -= chunk.length;
      if (left < 0) for (const socket of [client, registry]) socket.destroySoon();
    });
    registry.on('data', (chunk: Buffer) => client.write(chunk));
    client.once('end', () => registry.end());
    registry.once('end', () => client.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    host: `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describeWith(['linux', { program: 'apt-get' }, { program: 'openssl' }], 'a real registry', () => {
  let registry: RunningRegistry;
  let registries: OpenRegistries;
  beforeAll(async () => {
    registry = await startRegistry();
    registries = openWorld();
  });
  afterAll(async () => {
    registries[Symbol.dispose]();
    await registry[Symbol.asyncDispose]();
  });

  const signal = (): AbortSignal => AbortSignal.timeout(60_000);
  const toPush = (path: string, host = registry.host): Repository =>
    repositoryOf(registries, `${host}/${path}`, { purpose: 'push' });
  const toPull = (path: string): Repository => repositoryOf(registries, `${registry.host}/${path}`);
  const put = async (path: string, bytes: Buffer): Promise<Digest> => {
    await toPush(path).putBlob(sourceOf(bytes).open, { signal: signal() });
    return digestOf(bytes);
  };
  const manifestOf = (config: Digest, note = ''): RemoteManifest => {
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    const part = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: config, size: 2 };
    const document = { schemaVersion: 2, mediaType, config: part, layers: [], annotations: { note } };
    const bytes = Buffer.from(JSON.stringify(document));
    return { digest: digestOf(bytes), mediaType, sizeBytes: bytes.length, bytes };
  };

  it('takes a blob and gives it back, whole and from an offset on', async () => {
    const bytes = randomBytes(1_000_000);
    const digest = digestOf(bytes);
    expect(await toPush('app').hasBlob(digest, { signal: signal() })).toBe(false);
    await put('app', bytes);
    expect(await toPush('app').hasBlob(digest, { signal: signal() })).toBe(true);
    const { offset, sizeBytes, bytes: rest } = await toPull('app').blob(digest, { signal: signal(), offset: 999_000 });
    expect([offset, sizeBytes, (await collected(rest)).equals(bytes.subarray(999_000))]).toEqual([
      999_000,
      1_000_000,
      true,
    ]);
  });

  it('gets an upload anew that was cut off, since it forgets what it had', async () => {
    const bytes = randomBytes(8_000_000);
    await using door = await startDoor(Number(registry.host.split(':')[1]), [3_000_000]);
    const source = sourceOf(bytes);
    await toPush('cut', door.host).putBlob(source.open, { signal: signal() });
    expect(await toPush('cut').hasBlob(digestOf(bytes), { signal: signal() })).toBe(true);
    expect(source.opened()).toBe(2);
  });

  it('tells when an upload is cut off again and again', async () => {
    await using door = await startDoor(Number(registry.host.split(':')[1]), [1000, 1000, 1000, 1000]);
    const putting = toPush('cuts', door.host).putBlob(sourceOf(randomBytes(3_000_000)).open, { signal: signal() });
    await expect(putting).rejects.toThrow(/^Patch "http:\/\/127.*(EOF|reset by peer)/);
  });

  it('ends an upload whose client has gone, or whose bytes cannot be had', async () => {
    const abort = new AbortController();
    async function* endless(): AsyncGenerator<Buffer> {
      for (let count = 0; ; count += 1) {
        if (count === 20) abort.abort(new Error('the client has gone'));
        yield await Promise.resolve(Buffer.alloc(chunkBytes));
      }
    }
    const result = (): never => expect.unreachable('the bytes never end');
    const gone = toPush('gone').putBlob(() => ({ bytes: endless(), result }), { signal: abort.signal });
    await expect(gone).rejects.toThrow('the client has gone');
    // eslint-disable-next-line require-yield -- it fails before its first chunk
    async function* broken(): AsyncGenerator<Buffer> {
      await Promise.reject(new Error('the layer cannot be read'));
    }
    const failing = toPush('gone').putBlob(() => ({ bytes: broken(), result }), { signal: signal() });
    await expect(failing).rejects.toThrow('the layer cannot be read');
  });

  it('mounts a blob from another repository, and takes the bytes where it cannot', async () => {
    const bytes = randomBytes(1000);
    const digest = await put('mounts/from', bytes);
    const target = toPush('mounts/to');
    expect(await target.mountBlob(digest, 'mounts/from', { signal: signal() })).toBe(true);
    const other = randomBytes(1000);
    expect(await target.mountBlob(digestOf(other), 'mounts/from', { signal: signal() })).toBe(false);
    await target.putBlob(sourceOf(other).open, { signal: signal() });
    expect(await target.hasBlob(digestOf(other), { signal: signal() })).toBe(true);
  });

  it('keeps manifests by tag and by digest, and lists tags page by page', async () => {
    const config = await put('tags', Buffer.from('{}'));
    const manifest = manifestOf(config);
    const repository = toPush('tags');
    const names = Array.from({ length: 7 }, (_, index) => `v${index}`);
    for (const tag of names) await repository.putManifest(tag, manifest, { signal: signal() });
    const reader = toPull('tags');
    expect(await reader.manifest('v3', { signal: signal() })).toEqual(manifest);
    expect(await reader.manifest(manifest.digest, { signal: signal() })).toEqual(manifest);
    const { bytes: _, ...facts } = manifest;
    expect(await reader.findManifest('v3', { signal: signal() })).toEqual(facts);
    expect(await reader.findManifest('v9', { signal: signal() })).toBeNull();
    const listed: string[] = [];
    for await (const tag of reader.tags({ signal: signal() })) listed.push(tag);
    expect(listed.toSorted()).toEqual(names);
  });

  it('refuses a manifest whose blobs are not there, in its own words', async () => {
    const manifest = manifestOf(digestOf(Buffer.from('never sent')));
    await expect(toPush('blobless').putManifest('v1', manifest, { signal: signal() })).rejects.toThrow(
      'manifest blob unknown: blob unknown to registry',
    );
  });

  it('is reached through a proxy, which gets its own credentials and no others', async () => {
    await using secured = await startRegistry({
      tls: 'private-authority',
      auth: 'basic',
      users: { ada: 'lovelace-s3cret' },
    });
    await using proxy = await startProxy(secured.host);
    const certificates = secured.authority?.folderFor(proxiedName) ?? '';
    using through = openWorld({
      certificateFolders: [certificates],
      proxy: { http: null, https: proxy.url.replace('//', '//someone:pr0xy@'), none: null },
    });
    const repository = repositoryOf(through, `${proxiedName}/app`, { credentials: ada, purpose: 'push' });
    expect(await repository.hasBlob(digestOf(Buffer.alloc(1)), { signal: signal() })).toBe(false);
    const proof = `Basic ${Buffer.from('someone:pr0xy').toString('base64')}`;
    const connect = { method: 'CONNECT', target: `${proxiedName}:443`, proof };
    expect(proxy.requests).toEqual(proxy.requests.map(() => connect));
    expect(proxy.requests.length).toBeGreaterThan(0);
  });

  it('answers through a mirror of its own, which is passed over when it fails', async () => {
    const config = await put('mirrored', Buffer.from('{}'));
    const manifest = manifestOf(config, 'mirrored');
    await toPush('mirrored').putManifest('v1', manifest, { signal: signal() });
    await using mirror = await startRegistry({ mirrorOf: registry.url });
    const reports: string[] = [];
    const mirrors = [
      { registry: registry.host, url: 'http://127.0.0.1:1/' },
      { registry: registry.host, url: `${mirror.url}/` },
    ];
    using through = openWorld({ mirrors }, (message) => reports.push(message));
    const repository = repositoryOf(through, `${registry.host}/mirrored`);
    expect(await repository.manifest('v1', { signal: signal() })).toEqual(manifest);
    expect(reports).toEqual([expect.stringContaining('connection refused')]);
    expect(mirror.log()).toContain('/v2/mirrored/manifests/v1');
    await mirror[Symbol.asyncDispose]();
    expect(await repository.manifest('v1', { signal: signal() })).toEqual(manifest);
  });
});
