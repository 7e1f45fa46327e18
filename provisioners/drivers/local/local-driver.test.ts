import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeWith } from '../../../test/skip.ts';
import { makeDriverMachine, withMachine } from '../driver.fixture.ts';
import { describeDriver } from '../driver.suite.ts';
import { LocalDriver } from './local-driver.ts';

describeDriver({
  title: 'the driver for this computer',
  needs: ['linux', 'root'],
  open: async () => {
    const root = await mkdtemp(join(tmpdir(), 'skiff-local-'));
    const made = await makeDriverMachine({ open: () => new LocalDriver(), settings: { prefix: root } });
    return {
      ...made,
      crash: null,
      shell: () => Promise.reject(new Error('nothing here asks for it')),
      powerOff: () => Promise.reject(new Error('nobody may power off this computer')),
      peer: { left: () => readdir(root) },
      async [Symbol.asyncDispose]() {
        await made[Symbol.asyncDispose]();
        await rm(root, { recursive: true, force: true });
      },
    };
  },
});

describeWith(['linux', 'root'], 'the engine of another machine on this computer', () => {
  it('is left to that one, until its user takes it over', async () => {
    const root = await mkdtemp(join(tmpdir(), 'skiff-local-'));
    try {
      await mkdir(join(root, 'var/lib/skiff'), { recursive: true });
      await writeFile(join(root, 'var/lib/skiff/machine'), `${'b'.repeat(32)} lost\n`);
      await using made = await makeDriverMachine({ open: () => new LocalDriver(), settings: { prefix: root } });
      const { driver, machine } = made;
      const run = { tell: () => undefined, signal: AbortSignal.timeout(30_000) };
      await expect(driver.preCreateCheck(machine, run)).rejects.toThrow(
        /another machine already \("lost"\).*--local-adopt/,
      );
      const adopting = withMachine(machine, { settings: { ...machine.settings, isAdopting: true } });
      await driver.preCreateCheck(adopting, run);
      expect([driver.host?.takesOver(machine), driver.host?.takesOver(adopting)]).toEqual([false, true]);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
});
