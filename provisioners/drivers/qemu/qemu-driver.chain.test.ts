import { describe, expect, it } from 'vitest';
import { cacheFolder } from '../../machine-image/cache.ts';
import { ensureMachineImage } from '../../machine-image/machine-image.ts';
import { openLine } from '../../machines/machine-keys.ts';
import { readIfThere } from '../../store/atomic-file.ts';
import { waitForEnd } from '../../store/process-identity.ts';
import { makeDriverMachine } from '../driver.fixture.ts';
import type { DriverUnderTest } from '../driver.suite.ts';
import { describeDriver } from '../driver.suite.ts';
import { QemuDriver } from './qemu-driver.ts';
import { findQemuProcess } from './qemu-process.ts';

async function open(): Promise<DriverUnderTest> {
  const signal = AbortSignal.timeout(550_000);
  const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const image = await ensureMachineImage(
    { arch, cacheDir: cacheFolder(), source: { kind: 'build' } },
    { report: () => undefined, signal },
  );
  const made = await makeDriverMachine({
    open: (store) => new QemuDriver({ memoryFile: store.paths.qemuMemory }),
    settings: { memoryBytes: 512 * 1024 ** 2, diskBytes: 4 * 1024 ** 3 },
    image,
  });
  const { driver, machine, store } = made;
  const { paths, keys } = machine;
  const shell = async (command: string): Promise<string> => {
    const access = await driver.access(machine);
    if (access === null) throw new Error('it does not run');
    await using line = await openLine(access, { keys, signal, deadlineMs: 20_000 });
    return await line.check(command, { signal });
  };
  return {
    driver,
    machine,
    shell,
    powerOff: async () => void (await shell('poweroff')),
    crash: async () => {
      const found = await findQemuProcess(paths);
      if (found === null) throw new Error('no QEMU runs');
      process.kill(found.pid, 'SIGKILL');
      expect(await waitForEnd(found, { timeoutMs: 10_000 })).toBe(true);
    },
    async [Symbol.asyncDispose]() {
      await driver.remove(machine, { tell: () => undefined, signal: new AbortController().signal });
      expect(await findQemuProcess(paths)).toBeNull();
      // What this computer can accelerate was found out once and is kept for all machines.
      const known = await readIfThere(store.paths.qemuMemory);
      if (known !== null) expect(known).toContain('"chosen"');
      await made[Symbol.asyncDispose]();
    },
  };
}

describeDriver({
  title: 'the QEMU driver',
  needs: [{ program: 'qemu-system-x86_64' }, { program: 'mmdebstrap' }],
  boots: 'slow',
  open,
});

describe('the QEMU driver without QEMU', () => {
  it('says what to install', async () => {
    const computer = { platform: 'freebsd', arch: 'x64', environment: { PATH: '/nowhere' } } as const;
    const driver = new QemuDriver({ memoryFile: '/nowhere/qemu.json', computer });
    expect(await driver.availability()).toContain('apt-get install qemu-system-x86');
  });

  it('says for which processors there is no image', async () => {
    const computer = { platform: 'linux', arch: 'riscv64', environment: {} } as const;
    expect(await new QemuDriver({ memoryFile: '/nowhere/qemu.json', computer }).availability()).toContain('riscv64');
  });
});
