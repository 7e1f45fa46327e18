import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeWith } from '../../../test/skip.ts';
import { makeDriverMachine } from '../driver.fixture.ts';
import type { DriverRun } from '../driver.ts';
import { VirtualboxDriver } from './virtualbox-driver.ts';

const GiB = 1024 ** 3;
const run: DriverRun = { tell: () => undefined, signal: new AbortController().signal };

/** What works without VirtualBox's kernel module, with the VirtualBox of this computer. */
describeWith([{ program: 'VBoxManage' }], 'the VirtualBox driver with the real VBoxManage', () => {
  it('makes a machine once, copies its disk and removes it whole', { timeout: 120_000 }, async () => {
    await using made = await makeDriverMachine({
      open: () => new VirtualboxDriver(),
      settings: { cpus: 1, memoryBytes: GiB, diskBytes: 2 * GiB },
    });
    const { driver, machine } = made;
    await driver.create(machine, run);
    await driver.create(machine, run);
    expect(await driver.state(machine)).toBe('stopped');
    const raw = join(machine.paths.folder, 'copy.raw');
    await driver.copies?.writeDisk(machine, raw, run);
    expect((await stat(raw)).size).toBe(2 * GiB);
    await driver.copies?.takeDisk(machine, raw, run);
    await driver.remove(machine, run);
    await driver.remove(machine, run);
    expect(await driver.state(machine)).toBe('absent');
    expect((await readdir(machine.paths.folder)).filter((name) => /vdi|virtualbox|raw/.test(name))).toEqual([]);
  });
});
