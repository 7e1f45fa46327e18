import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SkiffDisk, SkiffSquashed } from '../../../api/skiff.ts';
import { describeWith } from '../../skip.ts';
import { call } from '../api.ts';
import { docker } from '../docker.ts';
import { loadLayers } from '../layered-image.ts';
import { file } from '../made-image.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

const content = (seed: number, bytes: number): Buffer =>
  Buffer.from(Array.from({ length: bytes }, (_, at) => (at * 7919 + seed * 31 + (at >> 8)) % 256));

/** Three layers of 2 MB each. */
const load = (socket: string, name: string): Promise<void> =>
  loadLayers(socket, { name, layers: [0, 1, 2].map((index) => [file(`f${index}`, content(index, 2_000_000))]) });

const imageIds = async (socket: string): Promise<readonly string[]> =>
  ((await call(socket, 'GET', '/images/json?all=1')).json() as readonly { Id: string }[]).map(({ Id }) => Id).sort();

/** Names in a folder, or none when it is not there. */
const namesIn = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};

describeWith(['linux', 'root', { program: 'crun' }], 'a squash that is killed', () => {
  let engine: RunningEngine;
  beforeAll(async () => {
    engine = await startEngine();
    await load(engine.socket, 'app');
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  it.each(['squash:merged', 'squash:unpacked'])('at %s leaves nothing, and the next one does it', async (point) => {
    const before = await imageIds(engine.socket);
    const layers = namesIn(path.join(engine.dataRoot, 'layers')).toSorted();
    engine.dieAt(point);
    const ask = '/skiff/v1/images/app/squash?from=1&to=2&tag=merged';
    await expect(call(engine.socket, 'POST', ask)).rejects.toThrow();
    await engine.crash();
    await engine.start();
    expect(await imageIds(engine.socket)).toEqual(before);
    expect(namesIn(path.join(engine.dataRoot, 'layers')).toSorted()).toEqual(layers);
    expect(namesIn(path.join(engine.dataRoot, 'incoming'))).toEqual([]);
    const done = await call(engine.socket, 'POST', ask);
    expect(done.json() as SkiffSquashed).toMatchObject({ layersBefore: 3, layersAfter: 2 });
    expect((await docker(engine.socket, ['rmi', 'merged'])).exitCode).toBe(0);
    expect(await imageIds(engine.socket)).toEqual(before);
  });
});

describeWith(['linux', 'root', { program: 'crun' }, { program: 'mount' }], 'a squash on a full disk', () => {
  const disk = mkdtempSync(path.join(os.tmpdir(), 'skiff-disk-'));
  const opened = new AsyncDisposableStack();
  let engine: RunningEngine;
  beforeAll(async () => {
    opened.defer(() => rmSync(disk, { recursive: true }));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=30m', 'skiff-disk', disk]);
    opened.defer(() => void execFileSync('umount', ['--lazy', disk]));
    engine = opened.use(await startEngine({ flags: ['--data-root', path.join(disk, 'data')] }));
    await load(engine.socket, 'app');
    const words = ['run', '--name', 'heavy', 'hello', 'sh', '-c', 'head -c 6000000 /dev/zero >/x'];
    expect((await docker(engine.socket, words)).exitCode).toBe(0);
  });
  afterAll(() => opened.disposeAsync());

  it('says so, as a snapshot does, leaves nothing, and the engine can still remove', async () => {
    const ballast = path.join(disk, 'ballast');
    const free = Number(execFileSync('df', ['--output=avail', '-B1', disk], { encoding: 'utf8' }).split('\n')[1]);
    execFileSync('fallocate', ['-l', String(free - 4_500_000), ballast]);
    const before = await imageIds(engine.socket);
    const refused = await call(engine.socket, 'POST', '/skiff/v1/images/app/flatten');
    expect([refused.status, refused.text]).toEqual([500, expect.stringMatching(/no space left on device/i)]);
    expect(await imageIds(engine.socket)).toEqual(before);
    expect(namesIn(path.join(disk, 'data', 'incoming'))).toEqual([]);
    expect(namesIn(path.join(disk, 'data', 'layers')).filter((name) => name.startsWith('tmp-'))).toEqual([]);
    const snapshot = await call(engine.socket, 'POST', '/skiff/v1/containers/heavy/snapshots');
    expect([snapshot.status, snapshot.text]).toEqual([500, expect.stringMatching(/no space left on device/i)]);
    const [heavy = ''] = namesIn(path.join(disk, 'data', 'containers'));
    expect(namesIn(path.join(disk, 'data', 'containers', heavy, 'snapshots'))).toEqual([]);
    expect((await docker(engine.socket, ['rm', 'heavy'])).exitCode).toBe(0);
    rmSync(ballast);
    expect((await call(engine.socket, 'POST', '/skiff/v1/images/app/flatten?tag=flat')).status).toBe(201);
    expect((await docker(engine.socket, ['rmi', 'app'])).exitCode).toBe(0);
    const { images } = (await call(engine.socket, 'GET', '/skiff/v1/disk')).json() as SkiffDisk;
    expect(images.items.map(({ names }) => names[0])).toContain('flat:latest');
  });
});
