import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { writeSystemDisk } from './build.ts';
import { writeAnyHardwareInitrd, writeInitrd } from './initrd.ts';
import type { KernelModule } from './kernel-modules.ts';
import { ModuleTree } from './kernel-modules.ts';
import { readRecipe } from './recipe.ts';
import { layOutSystemRoot } from './system-root.ts';

const signal = AbortSignal.timeout(180_000);

describeWith(['linux', { program: 'mkfs.erofs' }], 'building the image', () => {
  let base: string;
  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'skiff-build-'));
  });
  afterEach(() => rm(base, { recursive: true }));

  /** A tree of unpacked packages as small as the recipe allows, its files made in the given order. */
  async function unpackedPackages({ name, order }: { name: string; order: 'forwards' | 'backwards' }): Promise<string> {
    const packages = join(base, name);
    const { data } = readRecipe();
    const files = new Map(
      [...data.files, ...data.libraries.map((library) => `usr/lib/x86_64-linux-gnu/${library}`)].map((path) => [
        path,
        `content of ${path}`,
      ]),
    );
    files.set('usr/share/ca-certificates/mozilla/B.crt', 'B\n\n').set('usr/share/ca-certificates/mozilla/A.crt', 'A\n');
    const sorted = [...files].sort();
    for (const [path, content] of order === 'forwards' ? sorted : sorted.reverse()) {
      await mkdir(join(packages, path, '..'), { recursive: true });
      await writeFile(join(packages, path), content, { mode: path.includes('bin/') ? 0o755 : 0o600 });
      await utimes(join(packages, path), new Date(), order === 'forwards' ? 1_000 : 2_000);
    }
    return packages;
  }

  async function layOut({ name, packages }: { name: string; packages: string }): Promise<string> {
    const recipe = readRecipe();
    const none = { initrd: [], anyHardware: [], boot: [], engine: [], containers: [], onDemand: [] };
    const root = join(base, name);
    await layOutSystemRoot({
      recipe: { ...recipe, data: { ...recipe.data, modules: none } },
      arch: 'amd64',
      packages,
      root,
      modules: new ModuleTree({ folder: '/nowhere', paths: [], signal }),
      kernelRelease: '6.0.0',
    });
    return root;
  }

  it('gives the same system disk and initial roots, byte for byte, whenever and wherever they are made', async () => {
    const module: KernelModule = {
      name: 'erofs',
      path: 'kernel/erofs.ko',
      data: Buffer.from('module'),
      depends: [],
      aliases: [],
    };
    const digests: string[][] = [];
    for (const [name, order] of [
      ['one', 'forwards'],
      ['another-place', 'backwards'],
    ] as const) {
      const packages = await unpackedPackages({ name, order });
      const root = await layOut({ name: `${name}-root`, packages });
      const disk = join(base, `${name}.erofs`);
      await writeSystemDisk({ root, path: disk, signal });
      const modules = { closure: () => Promise.resolve([module]), has: () => true };
      const parts = { recipe: readRecipe(), packages, modules };
      const made = [
        await readFile(disk),
        await writeInitrd(parts),
        await writeAnyHardwareInitrd({ ...parts, kernelRelease: '6.0.0' }),
      ];
      digests.push(made.map((bytes) => createHash('sha256').update(bytes).digest('hex')));
    }
    expect(digests[1]).toEqual(digests[0]);
  });

  it('sets modes itself and puts certificates together in the order of their names', async () => {
    const root = await layOut({
      name: 'root',
      packages: await unpackedPackages({ name: 'packages', order: 'forwards' }),
    });
    const mode = async (path: string): Promise<string> => ((await stat(join(root, path))).mode & 0o7777).toString(8);
    expect([
      await mode('usr/bin/busybox'),
      await mode('etc/mke2fs.conf'),
      await mode('etc/shadow'),
      await mode('usr/lib/skiff/boot'),
      await mode('root'),
    ]).toEqual(['755', '644', '600', '755', '700']);
    expect(await readFile(join(root, 'etc/ssl/certs/ca-certificates.crt'), 'utf8')).toBe('A\nB\n');
    expect(await readdir(join(root, 'usr/lib/modules/6.0.0'))).toEqual([
      'modules.alias',
      'modules.dep',
      'modules.symbols',
    ]);
  });

  it("follows a package's links inside the packages alone", async () => {
    const packages = await unpackedPackages({ name: 'packages', order: 'forwards' });
    await rm(join(packages, 'usr/bin/crun'));
    await symlink('/usr/bin/nowhere-on-this-computer', join(packages, 'usr/bin/crun'));
    await expect(layOut({ name: 'root', packages })).rejects.toThrow('no longer have the file /usr/bin/crun');
    await rm(join(packages, 'usr/bin/crun'));
    await symlink('crun', join(packages, 'usr/bin/crun'));
    await expect(layOut({ name: 'root2', packages })).rejects.toThrow('chain of links without end');
  });
});
