/** skiffd ends with KILL in the middle of pulls and pushes, or has no room for them: nothing is half there, and the next try goes on. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { endOfArchive } from '../../../api/tar/writer.ts';
import { type HostileRegistry, startHostileRegistry } from '../../peers/hostile-registry.ts';
import { type RunningRegistry, startRegistry } from '../../peers/registry.ts';
import { describeWith } from '../../skip.ts';
import { call } from '../api.ts';
import { eventually } from '../docker.ts';
import { file } from '../made-image.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';
import { pull, push, startPull } from '../transfer.ts';

const layerOf = (name: string, bytes: number): Buffer => Buffer.concat([file(name, randomBytes(bytes)), endOfArchive]);
const has = async (engine: RunningEngine, name: string): Promise<boolean> =>
  (await call(engine.socket, 'GET', `/images/${name}/json`)).status === 200;

describeWith(['linux', 'root', { program: 'crun' }], 'skiffd killed in pulls and pushes', () => {
  let engine: RunningEngine;
  let registry: HostileRegistry;
  let real: RunningRegistry;
  beforeAll(async () => {
    [engine, registry, real] = await Promise.all([startEngine(), startHostileRegistry(), startRegistry()]);
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    await Promise.all([registry[Symbol.asyncDispose](), real[Symbol.asyncDispose]()]);
  });

  const sent = (digest: string): number =>
    registry.requests
      .filter(({ path, method }) => method === 'GET' && path.endsWith(`/blobs/${digest}`))
      .reduce((sum, { sentBytes }) => sum + sentBytes, 0);
  const left = (folder: string): readonly string[] => readdirSync(path.join(engine.dataRoot, folder));
  /** Ends the engine at this point of what is done, and starts it again. */
  const killedAt = async (point: string, act: () => Promise<unknown>): Promise<void> => {
    engine.dieAt(point);
    const pid = engine.pid();
    await act().catch(() => undefined);
    await eventually(`the end at ${point}`, () => (isAlive(pid) ? null : true));
    await engine.crash();
    await engine.start();
  };

  it('a pull that was killed in a download goes on where it stopped', async () => {
    registry.calm();
    const name = `${registry.host}/app`;
    const { layers } = registry.addImage('killed', [layerOf('whole', 100_000), layerOf('part', 800_000)]);
    const [whole = '', part = ''] = layers;
    registry.rule({ path: new RegExp(`/blobs/${part}$`), act: { kind: 'drip', bytes: 20_000, everyMs: 80 } });
    const client = startPull(engine.socket, name, 'killed');
    await client.seen(({ id, progressDetail }) => id === part.slice(7, 19) && (progressDetail?.current ?? 0) > 200_000);
    await client.seen(({ id, status }) => id === whole.slice(7, 19) && status === 'Download complete');
    await engine.crash();
    await client.ended;
    registry.calm();
    await engine.start();
    expect(await has(engine, `${name}:killed`)).toBe(false);
    expect((await pull(engine.socket, name, { tag: 'killed' })).error).toBeNull();
    expect(sent(whole)).toBe(0);
    expect(sent(part)).toBeLessThanOrEqual((registry.blobs.get(part)?.length ?? 0) - 200_000);
    expect(left('content/ingest')).toEqual([]);
  });

  it.each([
    ['pull:begun', false],
    ['pull:unpacked', false],
    ['pull:published', true],
  ])('at %s an image is there whole or not at all, and no bytes come twice', async (point, isThere) => {
    const tag = point.replace(':', '-');
    const name = `${registry.host}/app`;
    const { layers } = registry.addImage(tag, [layerOf('a', 50_000), layerOf('b', 50_000)]);
    registry.calm();
    await killedAt(point, () => pull(engine.socket, name, { tag }));
    expect(await has(engine, `${name}:${tag}`)).toBe(isThere);
    expect((await pull(engine.socket, name, { tag })).error).toBeNull();
    for (const layer of layers) expect(sent(layer)).toBe(registry.blobs.get(layer)?.length);
    expect(await has(engine, `${name}:${tag}`)).toBe(true);
    expect(left('content/ingest')).toEqual([]);
    expect(left('layers').filter((folder) => folder.startsWith('tmp-'))).toEqual([]);
  });

  it.each(['layers:forgotten', 'layers:removed', 'blobs:aside', 'blobs:forgotten'])(
    'at %s of a removal nothing of the image is left, and it comes again whole',
    async (point) => {
      const tag = point.replace(':', '-');
      const name = `${registry.host}/app`;
      const { layers } = registry.addImage(tag, [layerOf('a', 50_000), layerOf('b', 50_000)]);
      registry.calm();
      const before = { layers: left('layers'), blobs: left('content/sha256') };
      expect((await pull(engine.socket, name, { tag })).error).toBeNull();
      await killedAt(point, () => call(engine.socket, 'DELETE', `/images/${name}:${tag}`));
      expect(await has(engine, `${name}:${tag}`)).toBe(false);
      await call(engine.socket, 'POST', '/images/prune'); // what a download has brought is kept for the next try
      expect({ layers: left('layers'), blobs: left('content/sha256') }).toEqual(before);
      expect((await pull(engine.socket, name, { tag })).error).toBeNull();
      for (const layer of layers) expect(sent(layer)).toBe(2 * (registry.blobs.get(layer)?.length ?? 0));
      await call(engine.socket, 'DELETE', `/images/${name}:${tag}`);
      expect({ layers: left('layers'), blobs: left('content/sha256') }).toEqual(before);
    },
  );

  it.each([
    ['push:begun', 404],
    ['push:layers', 404],
    ['push:done', 200],
  ])('at %s a registry has the name with the whole image or not at all', async (point, status) => {
    const repository = `team/${point.replace(':', '-')}`;
    const name = `${real.host}/${repository}`;
    await call(engine.socket, 'POST', `/images/hello/tag?repo=${name}&tag=1`);
    await killedAt(point, () => push(engine.socket, name, '1'));
    const manifest = `${real.url}/v2/${repository}/manifests/1`;
    const headers = { Accept: 'application/vnd.docker.distribution.manifest.v2+json' };
    expect((await fetch(manifest, { headers })).status).toBe(status);
    expect((await push(engine.socket, name, '1')).error).toBeNull();
    expect((await fetch(manifest, { headers })).status).toBe(200);
    await call(engine.socket, 'DELETE', `/images/${name}:1`);
  });
});

describeWith(['linux', 'root', { program: 'crun' }, { program: 'mount' }], 'pulls on a full disk', () => {
  const disk = mkdtempSync(path.join(os.tmpdir(), 'skiff-disk-'));
  const opened = new AsyncDisposableStack();
  let engine: RunningEngine;
  let registry: HostileRegistry;
  beforeAll(async () => {
    opened.defer(() => rmSync(disk, { recursive: true }));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'skiff-disk', disk]);
    opened.defer(() => void execFileSync('umount', [disk]));
    registry = opened.use(await startHostileRegistry());
    engine = opened.use(await startEngine({ flags: ['--data-root', path.join(disk, 'data')] }));
  });
  afterAll(() => opened.disposeAsync());

  it('say so, leave nothing, and smaller ones go on', async () => {
    const name = `${registry.host}/app`;
    registry.addImage('large', [layerOf('a', 8_000_000), layerOf('b', 30_000_000)]);
    registry.addImage('small', [layerOf('a', 2_000_000)]);
    const folder = path.join(disk, 'data/layers');
    const before = readdirSync(folder);
    const refused = await pull(engine.socket, name, { tag: 'large' });
    expect(refused.error).toMatch(/no space left on device/i);
    expect(await has(engine, `${name}:large`)).toBe(false);
    expect(readdirSync(folder)).toEqual(before);
    expect((await call(engine.socket, 'POST', '/images/prune')).status).toBe(200);
    expect(readdirSync(path.join(disk, 'data/content/sha256'))).toEqual([]);
    expect((await pull(engine.socket, name, { tag: 'small' })).error).toBeNull();
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
