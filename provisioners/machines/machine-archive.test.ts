import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packMachine, unpackMachine } from './machine-archive.ts';

const { signal } = new AbortController();

describe('the file of an exported machine', () => {
  let folder: string;
  let into: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'skiff-archive-'));
    into = join(folder, 'into');
    file = join(folder, 'machine.tar.zst');
    mkdirSync(into);
    writeFileSync(join(folder, 'machine.json'), '{"format":1}');
    writeFileSync(join(folder, 'disk.raw'), Buffer.alloc(3 << 20, 'block'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const unpacked = (): readonly [manifest: string, diskBytes: number] => [
    readFileSync(join(into, 'machine.json'), 'utf8'),
    readFileSync(join(into, 'disk.raw')).length,
  ];

  it('is unpacked as it was packed', async () => {
    await packMachine(folder, { file, signal });
    await unpackMachine(file, { folder: into, signal });
    expect(unpacked()).toEqual(['{"format":1}', 3 << 20]);
  });

  it('may end with more padding than tar reads, which is looked at for damage nevertheless', async () => {
    const tar = execFileSync('tar', ['-c', '-C', folder, 'machine.json', 'disk.raw'], { maxBuffer: 8 << 20 });
    const whole = zstdCompressSync(Buffer.concat([tar, Buffer.alloc(8 << 20)]));
    writeFileSync(file, whole);
    await unpackMachine(file, { folder: into, signal });
    expect(unpacked()).toEqual(['{"format":1}', 3 << 20]);
    writeFileSync(file, whole.subarray(0, -3));
    await expect(unpackMachine(file, { folder: into, signal })).rejects.toThrow(/or it is damaged/);
  });

  it('is refused when it is something else, and makes nothing else', async () => {
    execFileSync('tar', ['-c', '-f', join(folder, 'other.tar'), '-C', folder, 'into']);
    writeFileSync(file, zstdCompressSync(readFileSync(join(folder, 'other.tar'))));
    await expect(unpackMachine(file, { folder: into, signal })).rejects.toMatchObject({ code: 'image-corrupt' });
    writeFileSync(file, 'no zstd');
    await expect(unpackMachine(file, { folder: into, signal })).rejects.toMatchObject({ code: 'image-corrupt' });
    await expect(unpackMachine(`${file}.not`, { folder: into, signal })).rejects.toThrow(/There is no file/);
    expect(readdirSync(into)).toEqual([]);
  });
});
