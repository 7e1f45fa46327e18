import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lacking } from '../../test/skip.ts';
import { removeDeadBuilds } from './cache.ts';
import { findOldImages, imagesFolder, noteImageUse } from './old-images.ts';

const dayMs = 24 * 60 * 60_000;

describe('old machine images', () => {
  let cacheDir: string;
  beforeEach(async () => {
    cacheDir = await mkdtemp(join(tmpdir(), 'skiff-old-images-'));
  });
  afterEach(() => rm(cacheDir, { recursive: true }));

  async function add(name: string, usedDaysAgo: number): Promise<string> {
    const folder = join(imagesFolder(cacheDir), name);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'system.erofs'), Buffer.alloc(8192, 1));
    await writeFile(join(folder, 'manifest.json'), '{}');
    const used = new Date(Date.now() - usedDaysAgo * dayMs);
    await utimes(join(folder, 'manifest.json'), used, used);
    return folder;
  }
  const find = (isInUse: (folder: string) => Promise<boolean> = () => Promise.resolve(false)) =>
    findOldImages({ cacheDir, isInUse, nowMs: Date.now() });
  const names = async (...given: Parameters<typeof find>): Promise<string[]> =>
    (await find(...given)).map(({ name }) => name);

  it('are those that nobody used for a week, but for the two used last', async () => {
    expect(await names()).toEqual([]);
    for (const [name, days] of [
      ['a', 40],
      ['b', 30],
      ['c', 20],
      ['d', 10],
    ] as const)
      await add(name, days);
    expect(await names()).toEqual(['a', 'b']);
    await add('e', 0);
    await add('f', 3);
    await add('g', 6);
    expect(await names()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('are not those that are used again, or that a machine was booted from', async () => {
    const [oldest] = [await add('a', 40), await add('b', 30), await add('c', 20), await add('d', 10)];
    await noteImageUse(oldest);
    expect(await names()).toEqual(['b', 'c']);
    expect(await names((folder) => Promise.resolve(folder.endsWith('/b')))).toEqual(['c']);
  });

  it('are not what is no image: builds, downloads, files', async () => {
    for (const name of ['.x.build', '.x.download', 'empty'])
      await mkdir(join(imagesFolder(cacheDir), name), { recursive: true });
    await writeFile(join(imagesFolder(cacheDir), 'note'), '');
    for (const [name, days] of [
      ['a', 40],
      ['b', 30],
    ] as const)
      await add(name, days);
    expect(await names()).toEqual([]);
  });

  it.skipIf(lacking(['linux']) !== null)('are not those that a running program names (needs Linux)', async () => {
    const folder = await add('a', 40);
    await add('b', 30);
    await add('c', 20);
    const program = spawn('sleep', ['60'], { argv0: `qemu ${folder}/system.erofs` });
    try {
      await once(program, 'spawn');
      expect(await names()).toEqual([]);
    } finally {
      const ended = once(program, 'exit');
      program.kill('SIGKILL');
      await ended;
    }
    expect(await names()).toEqual(['a']);
  });

  it('are removed whole, also twice, and a removal that was cut off is ended by the next build', async () => {
    for (const [name, days] of [
      ['a', 40],
      ['b', 30],
      ['c', 20],
    ] as const)
      await add(name, days);
    const [old] = await find();
    expect(old?.sizeBytes).toBeGreaterThanOrEqual(8192);
    await old?.remove();
    await old?.remove();
    const images = imagesFolder(cacheDir);
    expect(await readdir(images)).toEqual(['b', 'c']);
    await mkdir(join(images, '.a.01234567.build'));
    await removeDeadBuilds({ images, own: 'new' });
    expect((await readdir(images)).filter((name) => name.endsWith('.build'))).toEqual([]);
    expect((await stat(join(images, 'b'))).isDirectory()).toBe(true);
  });
});
