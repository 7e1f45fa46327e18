import { mkdir, mkdtemp, readFile, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tryLockFile } from '../store/machine-lock.ts';
import { buildFolder, cacheFolder, lockImage, publishImage, readVerifiedImage, removeDeadBuilds } from './cache.ts';
import { imageFixture, writeImageFixture } from './image.fixture.ts';

describe('the cache folder', () => {
  it.each([
    ['linux', {}, '/home/ann/.cache/skiff'],
    ['linux', { XDG_CACHE_HOME: '/var/cache/ann' }, '/var/cache/ann/skiff'],
    ['linux', { XDG_CACHE_HOME: '' }, '/home/ann/.cache/skiff'],
    ['darwin', { XDG_CACHE_HOME: '/ignored' }, '/home/ann/Library/Caches/skiff'],
    ['win32', { LOCALAPPDATA: '/local' }, '/local/skiff/cache'],
    ['win32', {}, '/home/ann/AppData/Local/skiff/cache'],
    ['darwin', { SKIFF_CACHE: '/elsewhere' }, '/elsewhere'],
  ] as const)('on %s with %j is %s', (platform, environment, expected) => {
    expect(cacheFolder({ platform, environment, home: '/home/ann' }).replaceAll('\\', '/')).toBe(expected);
  });

  it('is absolute even when SKIFF_CACHE is not', () => {
    expect(cacheFolder({ environment: { SKIFF_CACHE: 'here' } })).toBe(resolve('here'));
  });
});

describe('an image in the cache', () => {
  let base: string;
  let folder: string;
  const fixture = imageFixture();
  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'skiff-cache-'));
    folder = join(base, 'image');
    await writeImageFixture({ fixture, folder });
  });
  afterEach(() => rm(base, { recursive: true }));

  it('is read with its manifest when all of its files are what they were', async () => {
    expect(await readVerifiedImage(folder)).toEqual(fixture.manifest);
    expect(await readVerifiedImage(join(base, 'absent'))).toBeNull();
  });

  it('is found damaged by digest at its first use', async () => {
    await writeFile(join(folder, 'kernel'), Buffer.alloc(3000, 'x'));
    await expect(readVerifiedImage(folder)).rejects.toMatchObject({
      code: 'image-corrupt',
      message: expect.stringContaining('kernel does not have the digest'),
    });
  });

  it('is found damaged when a file changes after it was verified, even to the same size', async () => {
    await readVerifiedImage(folder);
    await writeFile(join(folder, 'initrd'), Buffer.alloc(2000, 'x'));
    await utimes(join(folder, 'initrd'), 1, 1);
    await expect(readVerifiedImage(folder)).rejects.toThrow('initrd does not have the digest');
  });

  it('is not read whole again while size and time stay', async () => {
    await readVerifiedImage(folder);
    const { mtime, atime } = await stat(join(folder, 'system.erofs'));
    await writeFile(join(folder, 'system.erofs'), Buffer.alloc(500_000, 'x'));
    await utimes(join(folder, 'system.erofs'), atime, mtime);
    const remembered = JSON.parse(await readFile(join(folder, 'verified.json'), 'utf8')) as Record<
      string,
      { mtimeMs: number }
    >;
    const { mtimeMs } = await stat(join(folder, 'system.erofs'));
    await writeFile(
      join(folder, 'verified.json'),
      JSON.stringify({ ...remembered, 'system.erofs': { ...remembered['system.erofs'], mtimeMs } }),
    );
    expect(await readVerifiedImage(folder)).toEqual(fixture.manifest);
  });

  it.each([
    ['a file is missing', () => rm(join(folder, 'initrd')), 'initrd is missing'],
    [
      'a file is cut off',
      () => writeFile(join(folder, 'system.erofs'), 'short'),
      'system.erofs has 5 bytes instead of 500000',
    ],
    [
      'the manifest is torn',
      () => writeFile(join(folder, 'manifest.json'), '{"format":'),
      'manifest.json is malformed',
    ],
  ])('is damaged when %s', async (_what, damage, message) => {
    await damage();
    await expect(readVerifiedImage(folder)).rejects.toThrow(message);
  });

  it('takes the place of a damaged one in one step', async () => {
    await writeFile(join(folder, 'kernel'), 'damaged');
    const made = join(base, '.image.build');
    await writeImageFixture({ fixture, folder: made });
    await publishImage({ made, folder });
    expect(await readVerifiedImage(folder)).toEqual(fixture.manifest);
    expect(await readdir(base)).toEqual(['image']);
  });
});

describe('the lock of an image', () => {
  let images: string;
  beforeEach(async () => {
    images = join(await mkdtemp(join(tmpdir(), 'skiff-image-lock-')), 'machine-images');
    await mkdir(images);
  });
  afterEach(() => rm(join(images, '..'), { recursive: true }));
  const options = { name: 'abc', timeoutMs: 10_000, signal: new AbortController().signal };

  it('is waited for, and taken when its holder is done', async () => {
    const holder = await tryLockFile(join(images, '.abc.lock'));
    let waits = 0;
    const taken = lockImage({ ...options, images, onWait: () => void (waits += 1) });
    await expect.poll(() => waits).toBe(1);
    await holder?.[Symbol.asyncDispose]();
    await using lock = await taken;
    expect(lock.path).toContain('.abc.lock');
    expect(waits).toBe(1);
  });

  it('gives up at its deadline, naming the lock, and at once when aborted', async () => {
    await using _holder = await tryLockFile(join(images, '.abc.lock'));
    const quiet = { ...options, images, onWait: () => undefined };
    await expect(lockImage({ ...quiet, timeoutMs: 0 })).rejects.toMatchObject({
      code: 'timeout',
      message: expect.stringContaining('.abc.lock'),
    });
    const aborting = new AbortController();
    const waiting = lockImage({ ...quiet, signal: aborting.signal, onWait: () => aborting.abort(new Error('enough')) });
    await expect(waiting).rejects.toThrow();
  });

  it('tells a build that was killed, which is removed, from one that is under way and from a half download', async () => {
    await using _alive = await tryLockFile(join(images, '.alive.lock'));
    for (const name of ['alive', 'dead', 'own']) await mkdir(buildFolder({ images, name }));
    await mkdir(join(images, '.release.download'));
    await removeDeadBuilds({ images, own: 'own' });
    expect((await readdir(images)).filter((name) => !name.includes('.lock')).sort()).toEqual([
      '.alive.build',
      '.release.download',
    ]);
  });
});
