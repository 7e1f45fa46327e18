import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { describeWith } from '../../../test/skip.ts';
import { provideRawDisk } from '../vm/raw-disk.ts';
import { describeRaw } from './vmdk.ts';

const GiB = 1024 ** 3;

describeWith([{ program: 'qemu-img' }], "a descriptor of a raw disk, read by QEMU's tool", () => {
  it('is the whole disk, also when that has grown, and holds what is in the file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'skiff-vmdk-'));
    try {
      const [raw, descriptor] = [join(folder, 'data.disk'), join(folder, 'data.vmdk')];
      await writeFile(raw, Buffer.alloc(1024 ** 2, 'skiff'));
      for (const sizeBytes of [1024 ** 2, 4 * GiB, 64 * GiB]) {
        await provideRawDisk(raw, sizeBytes);
        await describeRaw(raw, descriptor);
        const { stdout } = await promisify(execFile)('qemu-img', ['info', '--output=json', descriptor]);
        expect(JSON.parse(stdout)).toMatchObject({ format: 'vmdk', 'virtual-size': sizeBytes });
      }
      await promisify(execFile)('qemu-img', ['compare', '-F', 'raw', '-f', 'vmdk', descriptor, raw]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
