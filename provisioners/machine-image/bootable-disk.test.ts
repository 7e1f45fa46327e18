import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { ensureBootableDisk } from './bootable-disk.ts';
import { writeUnifiedKernel } from './unified-kernel.ts';

const MiB = 1024 ** 2;
const run = { tell: () => undefined, signal: new AbortController().signal };

let base: string;
let folder: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'skiff-disk-'));
  folder = join(base, 'image');
  await mkdir(folder);
  await writeFile(join(folder, 'boot.efi'), Buffer.alloc(3 * MiB + 77, 'kernel'));
  await writeFile(join(folder, 'system.erofs'), Buffer.alloc(2 * MiB + 4096, 'system'));
});
afterEach(() => rm(base, { recursive: true }));

const ensure = (): Promise<string> => {
  const parts = { kernelFile: join(folder, 'boot.efi'), systemFile: join(folder, 'system.erofs') };
  return ensureBootableDisk({ folder, parts: { arch: 'amd64', ...parts } }, run);
};
const digest = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

describe('the bootable disk', () => {
  it('is made once, also when two ask for it at the same time', async () => {
    const [first, second] = await Promise.all([ensure(), ensure()]);
    expect(second).toBe(first);
    const { mtimeMs } = await stat(first);
    expect((await stat(await ensure())).mtimeMs).toBe(mtimeMs);
    expect((await readdir(folder)).sort()).toEqual(['boot.efi', 'disk.raw', 'disk.raw.json', 'system.erofs']);
  });

  it('is the same bytes when it is made again, which it is when it was cut off or changed', async () => {
    const path = await ensure();
    const before = await digest(path);
    await truncate(path, 5 * MiB);
    await writeFile(`${path}.new`, 'half of it');
    expect(await digest(await ensure())).toBe(before);
    await rm(`${path}.json`);
    expect(await digest(await ensure())).toBe(before);
  });

  it('leaves nothing when it is told to end', async () => {
    const parts = {
      arch: 'amd64',
      kernelFile: join(folder, 'boot.efi'),
      systemFile: join(folder, 'system.erofs'),
    } as const;
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(ensureBootableDisk({ folder, parts }, { ...run, signal })).rejects.toThrow();
    expect((await readdir(folder)).sort()).toEqual(['boot.efi', 'system.erofs']);
  });
});

describeWith([{ program: 'sgdisk' }, { program: 'fsck.fat' }], 'the bootable disk, as other programs read it', () => {
  it('has a partition table and a FAT volume without faults, and the system behind them', async () => {
    const path = await ensure();
    const table = execFileSync('sgdisk', ['-v', '-p', path], { encoding: 'utf8' });
    expect(table).toContain('No problems found');
    const [, first = '', last = ''] = /^ +2 +(\d+) +(\d+) .* skiff-system$/m.exec(table) ?? [];
    const disk = await readFile(path);
    const volume = join(base, 'volume');
    await writeFile(volume, disk.subarray(MiB, Number(first) * 512));
    expect(execFileSync('fsck.fat', ['-n', volume], { encoding: 'utf8' })).toContain('4 files');
    const system = disk.subarray(Number(first) * 512, (Number(last) + 1) * 512);
    expect(system.subarray(0, 2 * MiB + 4096).equals(await readFile(join(folder, 'system.erofs')))).toBe(true);
    expect(system.length % MiB).toBe(0);
  });
});

describe('the unified kernel image', () => {
  /** The least EFI program: headers of 512 bytes, one section of 512. */
  function program(sizeOfImage: number): Buffer {
    const bytes = Buffer.alloc(1024);
    bytes.write('MZ', 0, 'latin1');
    bytes.writeUInt32LE(0x40, 0x3c);
    bytes.write('PE\0\0', 0x40, 'latin1');
    bytes.writeUInt16LE(1, 0x46);
    bytes.writeUInt16LE(112, 0x54);
    const optional = 0x58;
    for (const [at, value] of [
      [32, 4096],
      [36, 512],
      [56, sizeOfImage],
      [60, 512],
    ] as const)
      bytes.writeUInt32LE(value, optional + at);
    const section = optional + 112;
    bytes.write('.text', section, 'latin1');
    for (const [at, value] of [
      [8, 100],
      [12, 4096],
      [16, 512],
      [20, 512],
    ] as const)
      bytes.writeUInt32LE(value, section + at);
    return bytes;
  }

  it('has kernel, initial root and command line as sections behind those of the stub', () => {
    const kernel = program(10_000);
    const made = writeUnifiedKernel({
      stub: program(8192),
      kernel,
      initrd: Buffer.from('initial root'),
      commandLine: 'quiet',
    });
    const table = 0x58 + 112 + 40;
    const sections = [0, 1, 2].map((index) => {
      const at = table + index * 40;
      const [memoryBytes = 0, memoryAt = 0, fileBytes = 0, fileAt = 0] = [8, 12, 16, 20].map((offset) =>
        made.readUInt32LE(at + offset),
      );
      const name = made.toString('latin1', at, at + 8).replace(/\0+$/, '');
      return { name, memoryBytes, memoryAt, content: made.subarray(fileAt, fileAt + fileBytes) };
    });
    expect(sections.map(({ name, memoryBytes, memoryAt }) => [name, memoryBytes, memoryAt])).toEqual([
      ['.cmdline', 6, 8192],
      ['.initrd', 12, 12_288],
      // In memory as large as the kernel says that it is there.
      ['.linux', 10_000, 16_384],
    ]);
    expect(sections[0]?.content.toString('latin1', 0, 6)).toBe('quiet\0');
    expect(sections[1]?.content.toString('latin1', 0, 12)).toBe('initial root');
    expect(sections[2]?.content.equals(kernel)).toBe(true);
    expect(made.readUInt16LE(0x46)).toBe(4);
    expect(made.readUInt32LE(0x58 + 56)).toBe(28_672);
  });

  it('is not made of what is no EFI program, or of a stub without room', () => {
    const parts = { stub: program(8192), kernel: program(8192), initrd: Buffer.alloc(1), commandLine: '' };
    expect(() => writeUnifiedKernel({ ...parts, kernel: Buffer.from('\x7fELF') })).toThrow('no EFI program');
    const full = program(8192);
    full.writeUInt32LE(300, 0x58 + 60);
    expect(() => writeUnifiedKernel({ ...parts, stub: full })).toThrow('no room');
  });
});
