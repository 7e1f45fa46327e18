import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SkiffDisk, SkiffReclaimed } from '../../../api/skiff.ts';
import { describeWith } from '../../skip.ts';
import { call } from '../api.ts';
import { docker } from '../docker.ts';
import { loadLayers } from '../layered-image.ts';
import { file } from '../made-image.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

/** The database grows while it is looked at. */
const tolerance = 512 * 1024;

describeWith(['linux', 'root', { program: 'crun' }], 'disk truth', () => {
  let engine: RunningEngine;
  const random = (bytes: number): Buffer => Buffer.from(Array.from({ length: bytes }, (_, at) => (at * 7919) % 251));
  beforeAll(async () => {
    engine = await startEngine();
    const base = [file('base', random(100_000))];
    await loadLayers(engine.socket, { name: 'one', layers: [base, [file('one', random(50_000))]] });
    await loadLayers(engine.socket, { name: 'two', layers: [base, [file('two', random(70_000))]] });
    for (const words of [
      ['volume', 'create', 'data'],
      [
        'run',
        '--name',
        'writer',
        '-v',
        'data:/data',
        'hello',
        'sh',
        '-c',
        'head -c 200000 /dev/zero >/x; echo told; head -c 300000 /dev/zero >/data/y',
      ],
    ]) {
      const { exitCode, stderr } = await docker(engine.socket, words);
      expect([exitCode, stderr]).toEqual([0, '']);
    }
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  const truth = async (): Promise<SkiffDisk> => {
    const { status, text } = await call(engine.socket, 'GET', '/skiff/v1/disk');
    expect(status, text).toBe(200);
    return JSON.parse(text) as SkiffDisk;
  };
  const du = (folder: string): number =>
    Number(execFileSync('du', ['-sx', '--block-size=1', folder], { encoding: 'utf8' }).split('\t')[0]);
  const near = (a: number, b: number): void => expect(Math.abs(a - b), `${a} and ${b}`).toBeLessThan(tolerance);

  it('adds up to what the file system says, as a whole and for each thing', async () => {
    const disk = await truth();
    near(disk.totalBytes, du(engine.dataRoot));
    const { images, containers, volumes, compressedCopies, unfinishedDownloads, engine: own } = disk;
    const parts = [images, containers, volumes, compressedCopies, unfinishedDownloads, own];
    expect(parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(disk.totalBytes);
    const [writer] = containers.items;
    expect(writer?.bytes).toBe(du(path.join(engine.dataRoot, 'containers', writer?.id ?? '')));
    expect(volumes.items[0]?.bytes).toBe(du(path.join(engine.dataRoot, 'volumes', 'data')));
    near(images.bytes, du(path.join(engine.dataRoot, 'layers')));
    expect(disk.freeBytes).toBeGreaterThan(0);
    expect(disk.capacityBytes).toBeGreaterThan(disk.freeBytes);
  });

  it('tells what images share and what is their own', async () => {
    const { images } = await truth();
    const [one, two] = ['one:latest', 'two:latest'].map((name) =>
      images.items.find(({ names }) => names.includes(name)),
    );
    expect(one).toMatchObject({ layers: 2, containers: 0 });
    expect(one?.sharedBytes).toBe(two?.sharedBytes);
    expect(one?.sharedBytes).toBeGreaterThanOrEqual(100_000);
    expect(one?.uniqueBytes).toBeGreaterThanOrEqual(50_000);
    expect(one?.reclaimableBytes).toBe(one?.uniqueBytes);
    const hello = images.items.find(({ names }) => names.includes('hello:latest'));
    expect(hello).toMatchObject({ containers: 1, reclaimableBytes: 0 });
    expect(images.reclaimableBytes).toBe((one?.uniqueBytes ?? 0) + (two?.uniqueBytes ?? 0) + (one?.sharedBytes ?? 0));
  });

  it('tells what a container wrote and said, and what volumes hold', async () => {
    const { containers, volumes } = await truth();
    const [writer] = containers.items;
    expect(writer).toMatchObject({ name: 'writer', isRunning: false, snapshotBytes: 0 });
    expect(writer?.writtenBytes).toBeGreaterThanOrEqual(200_000);
    expect(writer?.logBytes).toBeGreaterThan(0);
    expect(writer?.reclaimableBytes).toBe(writer?.bytes);
    expect(volumes.items).toMatchObject([{ name: 'data', containers: 1, reclaimableBytes: 0 }]);
    expect(volumes.items[0]?.bytes).toBeGreaterThanOrEqual(300_000);
  });

  it('says what would go before anything goes, and takes nothing that was not named', async () => {
    const ask = async (query: string): Promise<SkiffReclaimed> => {
      const { status, text } = await call(engine.socket, 'POST', `/skiff/v1/disk/reclaim?${query}`);
      expect(status, text).toBe(200);
      return JSON.parse(text) as SkiffReclaimed;
    };
    // What an earlier pull left, and an image that lost its name.
    writeFileSync(path.join(engine.dataRoot, 'content', 'ingest', 'a'.repeat(64)), random(40_000));
    await loadLayers(engine.socket, { name: 'two', layers: [[file('other', random(1000))]] });
    const before = await truth();
    expect(before.unfinishedDownloads).toMatchObject({ count: 1, reclaimableBytes: 40_000 });
    const dry = await ask('kind=unfinished-downloads,dangling-images&dryRun=1');
    expect(dry).toMatchObject({ isDryRun: true, kinds: [{ count: 1, bytes: 40_000 }, { count: 1 }] });
    expect((await truth()).images.bytes).toBe(before.images.bytes);
    await ask('kind=unfinished-downloads');
    expect((await truth()).unfinishedDownloads.count).toBe(0);
    expect((await truth()).images.bytes).toBe(before.images.bytes);
    const done = await ask('kind=dangling-images');
    const after = await truth();
    expect(before.images.bytes - after.images.bytes).toBe(done.bytes);
    near(after.totalBytes, du(engine.dataRoot));
    const refused = await call(engine.socket, 'POST', '/skiff/v1/disk/reclaim?kind=everything');
    expect([refused.status, refused.json()]).toEqual([
      400,
      { message: 'unknown kind "everything": what may go is compressed-copies, unfinished-downloads, dangling-images' },
    ]);
    expect((await call(engine.socket, 'POST', '/skiff/v1/disk/reclaim')).status).toBe(400);
  });
});
