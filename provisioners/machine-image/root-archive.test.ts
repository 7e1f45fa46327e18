import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { writeSystemDisk } from './build.ts';
import { writeRootArchive } from './root-archive.ts';

const run = promisify(execFile);
const { signal } = new AbortController();

let folder: string;
const path = (name: string): string => join(folder, name);
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skiff-root-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describeWith([{ program: 'mkfs.erofs' }, { program: 'tar' }], 'the archive of a system disk', () => {
  it('holds what is on the disk: folders, files of all sizes, links, modes', async () => {
    const root = path('root');
    const deep = `usr/${'long-'.repeat(15)}/${'name-'.repeat(15)}`;
    await mkdir(join(root, deep), { recursive: true });
    // Around what a block holds, and more names than one block of a folder does.
    for (const size of [0, 1, 4000, 4095, 4096, 4097, 8192, 12_000, 3_000_000])
      await writeFile(join(root, 'usr', `file-${size}`), Buffer.alloc(size, `${size}.`));
    await mkdir(join(root, 'many'));
    for (let at = 0; at < 500; at++) await writeFile(join(root, 'many', `file-number-${at}`), String(at));
    await writeFile(join(root, deep, 'deep'), 'deep');
    await chmod(join(root, 'usr/file-1'), 0o4755);
    await chmod(join(root, 'many'), 0o1777);
    await symlink('usr/file-1', join(root, 'link'));
    await writeSystemDisk({ root, path: path('system.erofs'), signal });

    await writeRootArchive(path('system.erofs'), path('root.tar'), signal);

    await mkdir(path('again'));
    await run('tar', ['-xpf', path('root.tar'), '--no-same-owner', '-C', path('again')]);
    await run('diff', ['-r', '--no-dereference', root, path('again')]);
    const list = async (of: string): Promise<string> =>
      (await run('find', ['.', '-printf', '%p %M %s %l\n'], { cwd: of })).stdout
        .split('\n')
        .filter((line) => !/^\.\S* d/.test(line))
        .sort()
        .join('\n');
    expect(await list(path('again'))).toBe(await list(root));
    const { stdout } = await run('tar', ['-tvf', path('root.tar'), 'many/']);
    expect(stdout).toMatch(/^drwxrwxrwt 0\/0 /);
  });
});

describe('an archive', () => {
  it('is not made of anything else, and nothing is left', async () => {
    await writeFile(path('text'), 'no disk');
    const refused = { code: 'image-corrupt', message: expect.stringContaining('not an erofs') as string };
    await expect(writeRootArchive(path('text'), path('root.tar'), signal)).rejects.toMatchObject(refused);
    await expect(readFile(path('root.tar.new'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
