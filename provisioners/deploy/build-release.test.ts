import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildEngineRelease, freshEngineRelease } from './build-release.ts';
import { readEngineRelease } from './engine-release.ts';
import { engineNodeFlags } from './run-script.ts';

const repository = fileURLToPath(new URL('../../', import.meta.url));
let checkout: string;
let folder: string;

/** A checkout with an engine of three files: the engine, a worker that it starts by URL, and something both import. */
beforeEach(async () => {
  checkout = await mkdtemp(join(tmpdir(), 'skiff-checkout-'));
  folder = join(checkout, 'out', 'release');
  await mkdir(join(checkout, 'engine', 'hash'), { recursive: true });
  await symlink(join(repository, 'node_modules'), join(checkout, 'node_modules'));
  await writeFile(join(checkout, 'package.json'), '{"version": "4.5.6", "type": "module"}');
  await writeFile(join(checkout, 'package-lock.json'), '{}');
  await writeFile(join(checkout, 'engine/words.ts'), `export const word: string = 'shared';`);
  await writeFile(
    join(checkout, 'engine/main.ts'),
    `import { Worker } from 'node:worker_threads';
     import koffi from 'koffi';
     import { word } from './words.ts';
     declare const SKIFF_VERSION: string;
     const worker = new Worker(new URL('./hash/worker.ts', import.meta.url));
     worker.once('message', (message) => console.log(SKIFF_VERSION, word, message, typeof koffi.load));`,
  );
  await writeFile(
    join(checkout, 'engine/hash/worker.ts'),
    `import { parentPort } from 'node:worker_threads'; import { word } from '../words.ts'; parentPort?.postMessage('worker ' + word);`,
  );
});
afterEach(() => rm(checkout, { recursive: true, force: true }));

const build = () => buildEngineRelease({ checkout, arch: 'x64', folder });

describe('a release', () => {
  it.skipIf(process.platform !== 'linux' || process.arch !== 'x64')(
    'runs by itself, far from the checkout: engine, worker and native module (linux x64)',
    async () => {
      const { filesFolder } = await build();
      const elsewhere = await mkdtemp(join(tmpdir(), 'skiff-release-'));
      try {
        await cp(filesFolder, elsewhere, { recursive: true });
        const said = execFileSync(process.execPath, [join(elsewhere, 'skiffd.js')], { encoding: 'utf8', cwd: '/' });
        expect(said).toBe('4.5.6 shared worker shared function\n');
      } finally {
        await rm(elsewhere, { recursive: true, force: true });
      }
    },
  );

  it.skipIf(process.platform !== 'linux' || process.arch !== 'x64')(
    "starts, by a path as short as a machine's, without V8's optimising compilers (linux x64)",
    async () => {
      const { filesFolder } = await build();
      const args = ['--trace-opt', ...engineNodeFlags, '/proc/self/cwd/skiffd.js'];
      const options = { encoding: 'utf8', cwd: filesFolder, env: { SKIFF_RELEASE: filesFolder } } as const;
      expect(execFileSync(process.execPath, args, options)).toBe('4.5.6 shared worker shared function\n');
    },
  );

  it('has one file a program, and a digest that depends on the sources alone', async () => {
    const first = await build();
    expect((await readdir(first.filesFolder)).sort()).toEqual([
      'hash-worker.js',
      'koffi',
      'main.js',
      'package.json',
      'skiffd.js',
    ]);
    expect((await build()).digest).toBe(first.digest);
    expect((await readEngineRelease(folder)).digest).toBe(first.digest);
    await writeFile(join(checkout, 'engine/words.ts'), `export const word: string = 'other';`);
    expect((await build()).digest).not.toBe(first.digest);
  });

  it('is made again only when something that it was made of has changed', async () => {
    const request = { checkout, arch: 'x64', folder } as const;
    await freshEngineRelease(request);
    const marker = join(folder, 'files', 'marker');
    await writeFile(marker, '');
    await freshEngineRelease(request);
    expect(await readdir(join(folder, 'files'))).toContain('marker');
    await utimes(join(checkout, 'engine/words.ts'), new Date(), new Date(Date.now() + 5_000));
    await freshEngineRelease(request);
    expect(await readdir(join(folder, 'files'))).not.toContain('marker');
  });

  it('is made again when what lies there is damaged', async () => {
    const request = { checkout, arch: 'x64', folder } as const;
    const { digest } = await freshEngineRelease(request);
    await writeFile(join(folder, 'manifest.json'), '{');
    expect((await freshEngineRelease(request)).digest).toBe(digest);
  });

  it('leaves the one before, and no half one, when the sources do not compile', async () => {
    const { digest } = await build();
    await writeFile(join(checkout, 'engine/main.ts'), `import './nowhere.ts';`);
    await expect(build()).rejects.toMatchObject({
      code: 'deploy-failed',
      message: expect.stringContaining('nowhere.ts'),
    });
    expect((await readEngineRelease(folder)).digest).toBe(digest);
    expect(await readdir(join(checkout, 'out'))).toEqual(['release']);
  });

  it('names the native part that is missing, and how to get it', async () => {
    await expect(buildEngineRelease({ checkout, arch: 'arm64', folder })).rejects.toThrow(
      /npm install .*@koromix\/koffi-linux-arm64/,
    );
  });

  it('that is not there is told by name', async () => {
    await expect(readEngineRelease(join(checkout, 'none'))).rejects.toThrow(
      `no engine release in ${join(checkout, 'none')}`,
    );
    expect(await readFile(join(checkout, 'package.json'), 'utf8')).toContain('4.5.6');
  });
});
