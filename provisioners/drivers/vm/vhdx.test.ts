import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeWith } from '../../../test/skip.ts';
import { vhdxToRaw } from './read-vhdx.ts';
import type { DiskSource } from './write-vhdx.ts';
import { diskOfBytes, emptyDisk, rawToVhdx, writeVhdx } from './write-vhdx.ts';

const run = promisify(execFile);
const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
const { signal } = new AbortController();

let folder: string;
const path = (name: string): string => join(folder, name);
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skiff-vhdx-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Bytes at a disk's begin, in its middle and at its end; nothing else of it is ever read or written. */
const marksOf = (sizeBytes: number): ReadonlyMap<number, Buffer> =>
  new Map([0, 3 * MiB + 17, Math.floor(sizeBytes / 2), sizeBytes - 5000].map((place) => [place, randomBytes(5000)]));

async function writeRaw(raw: string, sizeBytes: number, marks = marksOf(sizeBytes)): Promise<void> {
  await using file = await open(raw, 'w');
  await file.truncate(sizeBytes);
  for (const [place, bytes] of marks) await file.write(bytes, 0, bytes.length, place);
}

function sparse(sizeBytes: number, marks: ReadonlyMap<number, Buffer>): DiskSource {
  return {
    sizeBytes,
    read: (buffer, position) => {
      const end = position + buffer.length;
      const touched = [...marks].filter(([place, bytes]) => place < end && place + bytes.length > position);
      if (touched.length > 0) buffer.fill(0);
      for (const [place, bytes] of touched)
        bytes.copy(buffer, Math.max(0, place - position), Math.max(0, position - place));
      return Promise.resolve(touched.length === 0 ? 0 : buffer.length);
    },
  };
}

describeWith([{ program: 'qemu-img' }], "a VHDX as QEMU's reader and writer know it", () => {
  const expectSame = (one: string, other: string) =>
    run('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', path(one), path(other)]);
  const read = (disk: string, raw: string) =>
    run('qemu-img', ['convert', '-f', 'vhdx', '-O', 'raw', path(disk), path(raw)]);

  // From 4 GiB on there are entries for bitmaps among those of blocks.
  it.each([20 * MiB, 20 * MiB + 512, 9 * GiB])('is written so that a disk of %i bytes is read back', async (size) => {
    const marks = marksOf(size);
    await writeVhdx(path('disk.vhdx'), sparse(size, marks), signal);
    await writeRaw(path('raw'), size, marks);
    await read('disk.vhdx', 'again');
    await expectSame('again', 'raw');
    const { stdout } = await run('qemu-img', ['check', '-f', 'vhdx', path('disk.vhdx')]);
    expect(stdout).toContain('No errors were found');
    expect((await stat(path('disk.vhdx'))).size).toBeLessThan(20 * MiB);
  });

  it.each([1, 32])('is read with blocks of %i MiB', async (blockMiB) => {
    await writeRaw(path('raw'), 9 * GiB);
    const options = ['-o', `block_size=${blockMiB * MiB}`];
    await run('qemu-img', ['convert', '-f', 'raw', '-O', 'vhdx', ...options, path('raw'), path('disk.vhdx')]);
    await vhdxToRaw(path('disk.vhdx'), path('again'), signal);
    await expectSame('again', 'raw');
  });

  it('is written from a raw image', async () => {
    await writeRaw(path('raw'), 20 * MiB);
    await rawToVhdx(path('raw'), path('disk.vhdx'), signal);
    await read('disk.vhdx', 'again');
    await expectSame('again', 'raw');
  });

  it('is written empty, of any size at once', async () => {
    await writeVhdx(path('disk.vhdx'), emptyDisk(2 * 1024 * GiB), signal);
    const { stdout } = await run('qemu-img', ['info', '--output=json', path('disk.vhdx')]);
    expect(JSON.parse(stdout)).toMatchObject({ format: 'vhdx', 'virtual-size': 2 * 1024 * GiB });
  });
});

describe('a VHDX', () => {
  it('holds a disk of a few bytes, made whole sectors', async () => {
    await writeVhdx(path('disk.vhdx'), diskOfBytes(Buffer.from('seed')), signal);
    await vhdxToRaw(path('disk.vhdx'), path('raw'), signal);
    expect(await readFile(path('raw'))).toEqual(Buffer.concat([Buffer.from('seed'), Buffer.alloc(508)]));
  });

  it('is refused when it is none, or was not closed', async () => {
    await writeFile(path('text'), 'no disk');
    const refused = (why: string) => ({ code: 'internal', message: expect.stringContaining(why) as string });
    await expect(vhdxToRaw(path('text'), path('raw'), signal)).rejects.toMatchObject(refused('not a VHDX'));
    await writeVhdx(path('disk.vhdx'), diskOfBytes(Buffer.from('seed')), signal);
    const bytes = await readFile(path('disk.vhdx'));
    await writeFile(
      path('torn'),
      bytes.fill(1, 64 * 1024 + 16, 64 * 1024 + 20).fill(1, 192 * 1024 + 20, 192 * 1024 + 24),
    );
    await vhdxToRaw(path('torn'), path('raw'), signal);
    await writeFile(path('torn'), bytes.fill(1, 128 * 1024 + 48, 128 * 1024 + 52));
    await expect(vhdxToRaw(path('torn'), path('raw'), signal)).rejects.toMatchObject(refused('not a VHDX'));
  });

  it('leaves nothing when it is told to end', async () => {
    const gone = AbortSignal.abort(new Error('enough'));
    await expect(writeVhdx(path('disk.vhdx'), diskOfBytes(Buffer.from('seed')), gone)).rejects.toThrow('enough');
    await expect(stat(path('disk.vhdx.new'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
