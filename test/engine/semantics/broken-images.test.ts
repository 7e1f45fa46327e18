/** Every kind of broken manifest, config and layer: one clear error, and nothing left of it. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { endOfArchive } from '../../../api/tar/writer.ts';
import { type HostileRegistry, sha256, startHostileRegistry } from '../../peers/hostile-registry.ts';
import { describeWith } from '../../skip.ts';
import { call } from '../api.ts';
import { file } from '../made-image.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';
import { pull } from '../transfer.ts';

const types = {
  manifest: 'application/vnd.docker.distribution.manifest.v2+json',
  config: 'application/vnd.docker.container.image.v1+json',
  layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
};
const tar = Buffer.concat([file('a', 'of a layer'), endOfArchive]);
const gzip = gzipSync(tar);

interface Case {
  readonly what: string;
  /** Puts an image under the tag `broken`. */
  readonly make: (registry: HostileRegistry) => void;
  readonly error: RegExp;
}

/** A manifest of one layer, with what a case changes of it. */
function manifest(
  registry: HostileRegistry,
  change: {
    readonly config?: object | Buffer;
    readonly configType?: string;
    readonly layer?: object;
    readonly layers?: readonly object[];
    readonly blob?: Buffer;
    readonly more?: object;
    readonly mediaType?: string;
  } = {},
): void {
  const blob = change.blob ?? gzip;
  const config = Buffer.isBuffer(change.config)
    ? change.config
    : Buffer.from(
        JSON.stringify(
          change.config ?? { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [sha256(tar)] } },
        ),
      );
  registry.blobs.set(sha256(config), config);
  registry.blobs.set(sha256(blob), blob);
  const layer = { mediaType: types.layer, size: blob.length, digest: sha256(blob), ...change.layer };
  registry.addManifest(
    'broken',
    {
      schemaVersion: 2,
      mediaType: types.manifest,
      config: { mediaType: change.configType ?? types.config, size: config.length, digest: sha256(config) },
      layers: change.layers ?? [layer],
      ...change.more,
    },
    change.mediaType ?? types.manifest,
  );
}

const always = { path: /\/blobs\// };
const cases: readonly Case[] = [
  {
    what: 'no JSON',
    make: (r) => r.addManifest('broken', Buffer.from('{"schemaVersion": 2,')),
    error: /manifest of .*JSON/,
  },
  {
    what: 'a list',
    make: (r) => r.addManifest('broken', Buffer.from('[]')),
    error: /manifest of .*is no JSON object/,
  },
  {
    what: 'schema 1',
    make: (r) =>
      r.addManifest('broken', { schemaVersion: 1 }, 'application/vnd.docker.distribution.manifest.v1+prettyjws'),
    error: /schema 1 support has been removed/,
  },
  { what: 'schema 3', make: (r) => manifest(r, { more: { schemaVersion: 3 } }), error: /unsupported schema version 3/ },
  {
    what: 'another type than the registry tells',
    make: (r) => manifest(r, { more: { mediaType: 'application/vnd.oci.image.index.v1+json' } }),
    error: /index.*of itself, the registry says/,
  },
  {
    what: 'an image and an index at once',
    make: (r) => manifest(r, { more: { manifests: [] } }),
    error: /both an image and an index/,
  },
  {
    what: 'an unknown type',
    make: (r) => manifest(r, { mediaType: 'text/html', more: { mediaType: 'text/html' } }),
    error: /media type/,
  },
  {
    what: 'an artifact',
    make: (r) => manifest(r, { configType: 'application/vnd.cncf.helm.config.v1+json' }),
    error: /unsupported media type application\/vnd.cncf.helm/,
  },
  {
    what: 'a plugin',
    make: (r) => manifest(r, { configType: 'application/vnd.docker.plugin.v1+json' }),
    error: /\(plugin\)/,
  },
  {
    what: 'a foreign layer',
    make: (r) =>
      manifest(r, {
        layer: { mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', urls: ['http://127.0.0.1/x'] },
      }),
    error: /layers\[0\]: foreign layers/,
  },
  {
    what: 'a layer that is no tar',
    make: (r) => manifest(r, { layer: { mediaType: 'application/wasm' } }),
    error: /layers\[0\]: unsupported media type application\/wasm/,
  },
  {
    what: 'a layer without a size',
    make: (r) => manifest(r, { layer: { size: undefined } }),
    error: /layers\[0\].*size/,
  },
  { what: 'a negative size', make: (r) => manifest(r, { layer: { size: -5 } }), error: /layers\[0\].*size/ },
  {
    what: 'a digest that is none',
    make: (r) => manifest(r, { layer: { digest: 'sha256:../../etc/passwd' } }),
    error: /layers\[0\]: unsupported digest/,
  },
  {
    what: 'a digest of another kind',
    make: (r) => manifest(r, { layer: { digest: `md5:${'0'.repeat(32)}` } }),
    error: /unsupported digest/,
  },
  {
    what: 'a config that is no JSON',
    make: (r) => manifest(r, { config: Buffer.from('no') }),
    error: /image config.*JSON/,
  },
  { what: 'a config of another system', make: (r) => manifest(r, { config: { os: 'windows' } }), error: /windows/ },
  {
    what: 'more layers than diff ids',
    make: (r) => manifest(r, { config: { os: 'linux', rootfs: { type: 'layers', diff_ids: [] } } }),
    error: /manifest has 1 layers, but its config has 0 diff ids/,
  },
  {
    what: 'too many layers',
    make: (r) => {
      const ids = Array.from({ length: 130 }, () => sha256(tar));
      const layer = { mediaType: types.layer, size: gzip.length, digest: sha256(gzip) };
      manifest(r, { config: { os: 'linux', rootfs: { type: 'layers', diff_ids: ids } }, layers: ids.map(() => layer) });
    },
    error: /max depth exceeded/,
  },
  {
    what: 'another content than the diff id says',
    make: (r) =>
      manifest(r, { config: { os: 'linux', rootfs: { type: 'layers', diff_ids: [sha256(Buffer.from('else'))] } } }),
    error: /failed to register layer .*digest/,
  },
  {
    what: 'a layer that is no archive',
    make: (r) => manifest(r, { blob: gzipSync(Buffer.alloc(2048, 7)) }),
    error: /failed to register layer/,
  },
  {
    what: 'a gzip that ends too early',
    make: (r) => manifest(r, { blob: gzip.subarray(0, gzip.length - 20) }),
    error: /failed to register layer/,
  },
  {
    what: 'a config with wrong bytes',
    make: (r) => {
      manifest(r);
      r.rule({ ...always, act: { kind: 'bytes', bytes: Buffer.alloc(30, 1) } });
    },
    error: /image config .*(?:bytes|digest)/,
  },
  {
    what: 'a layer with wrong bytes',
    make: (r) => {
      manifest(r);
      r.rule({ path: new RegExp(`${sha256(gzip)}$`), act: { kind: 'bytes', bytes: Buffer.alloc(gzip.length, 1) } });
    },
    error: /wrong content/,
  },
  {
    what: 'a layer with more bytes than its manifest tells',
    make: (r) => {
      manifest(r);
      r.rule({ path: new RegExp(`${sha256(gzip)}$`), act: { kind: 'bytes', bytes: Buffer.concat([gzip, gzip]) } });
    },
    error: /bytes/,
  },
  {
    what: 'a layer that is not there',
    make: (r) => {
      manifest(r);
      r.rule({ path: new RegExp(`${sha256(gzip)}$`), act: { kind: 'status', status: 404 } });
    },
    error: /404|not found|unknown/i,
  },
  {
    what: 'a manifest with other bytes than its digest',
    make: (r) =>
      r.rule({
        path: /\/manifests\//,
        act: { kind: 'headers', headers: { 'Docker-Content-Digest': sha256(Buffer.from('x')) } },
      }),
    error: /digest|not found|unknown/i,
  },
];

describeWith(['linux', 'root', { program: 'crun' }], 'images that are broken', () => {
  let engine: RunningEngine;
  let registry: HostileRegistry;
  let before: readonly string[];
  const left = (): readonly string[] =>
    ['layers', 'content/ingest', 'incoming'].flatMap((folder) => {
      try {
        return readdirSync(path.join(engine.dataRoot, folder)).map((name) => `${folder}/${name}`);
      } catch {
        return []; // it was never needed
      }
    });
  beforeAll(async () => {
    [engine, registry] = await Promise.all([startEngine(), startHostileRegistry()]);
    before = left();
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });

  it.each(cases.map((one) => [one.what, one] as const))(
    '%s: one clear error, and nothing is left',
    async (_, { make, error }) => {
      registry.calm();
      registry.blobs.clear();
      registry.manifests.clear();
      make(registry);
      const refused = await pull(engine.socket, `${registry.host}/app`, { tag: 'broken' });
      expect(refused.error).toMatch(error);
      expect(refused.told.filter((one) => one.error !== undefined || one.message !== undefined)).toHaveLength(1);
      expect((await call(engine.socket, 'GET', `/images/${registry.host}/app:broken/json`)).status).toBe(404);
      expect((await call(engine.socket, 'POST', '/images/prune')).status).toBe(200);
      expect(left()).toEqual(before);
      expect(readdirSync(path.join(engine.dataRoot, 'content/sha256'))).toEqual([]);
    },
  );
});
