import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { makeDriverMachine } from '../driver.fixture.ts';
import { describeDriver } from '../driver.suite.ts';
import { LocalDriver } from './local-driver.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 });

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
