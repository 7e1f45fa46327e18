import { open as openFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { sshdProgram } from '../../../test/peers/sshd.ts';
import type { PlayedVirtualbox } from '../../../test/peers/virtualbox/played-virtualbox.ts';
import { openPlayedVirtualbox } from '../../../test/peers/virtualbox/played-virtualbox.ts';
import { describeWith } from '../../../test/skip.ts';
import { openLine } from '../../machines/machine-keys.ts';
import type { MadeMachine } from '../driver.fixture.ts';
import { makeDriverMachine } from '../driver.fixture.ts';
import type { DriverUnderTest } from '../driver.suite.ts';
import { describeDriver } from '../driver.suite.ts';
import type { Driver, DriverMachine, DriverRun } from '../driver.ts';
import { VirtualboxDriver } from './virtualbox-driver.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 });

const GiB = 1024 ** 3;
const run: DriverRun = { tell: () => undefined, signal: new AbortController().signal };
const needs = ['linux', 'root', { program: sshdProgram }] as const;
const computer = (environment: PlayedVirtualbox['environment']) =>
  ({ platform: 'linux', arch: 'x64', environment }) as const;

type Made = MadeMachine & { readonly driver: Driver; readonly vbox: PlayedVirtualbox };

async function make(): Promise<Made> {
  const vbox = await openPlayedVirtualbox();
  const image = join(vbox.register.home, 'image.raw');
  await writeBootSector(image);
  const made = await makeDriverMachine({
    open: () => new VirtualboxDriver({ computer: computer(vbox.environment), bootMs: 20_000 }),
    settings: { cpus: 1, memoryBytes: GiB, diskBytes: 4 * GiB },
    image: { kernel: '', initrd: '', systemDisk: '', commandLine: '', bootableDisk: () => Promise.resolve(image) },
  });
  return {
    ...made,
    vbox,
    async [Symbol.asyncDispose]() {
      await vbox[Symbol.asyncDispose]();
      await made[Symbol.asyncDispose]();
    },
  };
}

async function writeBootSector(path: string): Promise<void> {
  await using file = await openFile(path, 'w');
  await file.write(Buffer.from([0x55, 0xaa]), 0, 2, 510);
  await file.truncate(1024 ** 2);
}

async function shell({ driver, machine }: Made, command: string): Promise<string> {
  const access = await driver.access(machine);
  if (access === null) throw new Error('it does not run');
  await using line = await openLine(access, { keys: machine.keys, signal: run.signal, deadlineMs: 20_000 });
  return await line.check(command, { signal: run.signal });
}

/** Nothing of a machine is left: not in VirtualBox's register, no disk in the folder. */
async function expectGone({ vbox, machine }: Made): Promise<void> {
  expect(vbox.register.machines()).toEqual([]);
  expect(vbox.register.media()).toEqual([]);
  expect(machine.resources.all).toEqual([]);
  expect((await readdir(machine.paths.folder)).filter((name) => /vdi|virtualbox/.test(name))).toEqual([]);
}

describeDriver({
  title: 'the VirtualBox driver',
  needs,
  open: async (): Promise<DriverUnderTest> => {
    const made = await make();
    return {
      driver: made.driver,
      machine: made.machine,
      shell: (command) => shell(made, command),
      powerOff: () => Promise.reject(new Error('its button is heard')),
      crash: () => Promise.resolve(made.vbox.crash()),
      async [Symbol.asyncDispose]() {
        await expectGone(made);
        await made[Symbol.asyncDispose]();
      },
    };
  },
});

describeWith(needs, 'the VirtualBox driver, when things go wrong', () => {
  let made: Made;
  beforeEach(async () => {
    made = await make();
  });
  afterEach(() => made[Symbol.asyncDispose]());

  it.each(['killed-before', 'killed-after'] as const)(
    'ends a creation that was %s at any of its calls, or takes it back',
    async (kind) => {
      const { driver, machine, vbox } = made;
      const cut = async (after: number): Promise<boolean> => {
        vbox.register.setFaults([{ verb: '*', kind, after }]);
        try {
          await driver.create(machine, run);
          return false;
        } catch {
          return true;
        } finally {
          vbox.register.setFaults([]);
        }
      };
      let calls = 0;
      for (; await cut(calls); calls++) {
        if (calls % 2 === 0) {
          await driver.create(machine, run);
          expect(await driver.state(machine)).toBe('stopped');
        }
        await driver.remove(machine, run);
        await expectGone(made);
      }
      // Looking, making, and three for the disk: a fault that came at no call would prove nothing.
      expect(calls).toBe(5);
    },
  );

  it('waits for a machine that another program has locked for a moment', async () => {
    const { driver, machine, vbox } = made;
    vbox.register.setFaults([
      { verb: 'createvm', kind: 'locked' },
      { verb: 'createvm', kind: 'locked' },
    ]);
    await driver.create(machine, run);
    expect(await driver.state(machine)).toBe('stopped');
    await driver.remove(machine, run);
  });

  it('says that there is no room, and leaves nothing when it is removed', async () => {
    const { driver, machine, vbox } = made;
    vbox.register.setFaults([{ verb: 'createmedium', kind: 'no-space' }]);
    await expect(driver.create(machine, run)).rejects.toMatchObject({ code: 'no-space' });
    await driver.remove(machine, run);
    await expectGone(made);
  });

  it('says where to switch on virtualisation', async () => {
    const { driver, machine, vbox } = made;
    await driver.create(machine, run);
    vbox.register.setFaults([{ verb: 'startvm', kind: 'no-virtualisation' }]);
    const refused = { code: 'driver-unavailable', message: expect.stringContaining('firmware') as string };
    await expect(driver.start(machine, run)).rejects.toMatchObject(refused);
    await driver.remove(machine, run);
    await expectGone(made);
  });

  it('says what a machine without a boot loader showed, and ends it', async () => {
    const { machine, vbox } = made;
    const driver = new VirtualboxDriver({
      computer: computer(vbox.environment),
      bootMs: 300,
    });
    await driver.create(machine, run);
    const dark = join(machine.paths.folder, 'dark.raw');
    await using file = await openFile(dark, 'w');
    await file.truncate(1024 ** 2);
    const image = {
      kernel: '',
      initrd: '',
      systemDisk: '',
      commandLine: '',
      bootableDisk: () => Promise.resolve(dark),
    };
    const failed = { code: 'boot-failed', message: expect.stringContaining('No bootable option') as string };
    await expect(driver.start(withChange(machine, { image }), run)).rejects.toMatchObject(failed);
    expect(await driver.state(machine)).toBe('stopped');
    await driver.remove(machine, run);
  });

  it('ends soon when it is told to', async () => {
    const { driver, machine, vbox } = made;
    await driver.create(machine, run);
    vbox.register.setFaults([{ verb: 'startvm', kind: 'hangs' }]);
    const signal = AbortSignal.timeout(1_000);
    await expect(driver.start(machine, { ...run, signal })).rejects.toBe(await reasonOf(signal));
    expect(await driver.state(machine)).toBe('stopped');
    await driver.remove(machine, run);
  });

  it('removes what was deleted in VirtualBox already', async () => {
    const { driver, machine, vbox } = made;
    await driver.create(machine, run);
    for (const vm of vbox.register.machines()) vbox.register.remove(vm);
    expect(await driver.state(machine)).toBe('absent');
    await expect(driver.start(machine, run)).rejects.toMatchObject({ code: 'boot-failed' });
    await driver.remove(machine, run);
    await expectGone(made);
  });

  it('makes two machines at once', async () => {
    const { driver, machine } = made;
    await using other = await makeDriverMachine({ open: () => driver, settings: machine.settings });
    const second: DriverMachine = withChange(other.machine, { id: 'b'.repeat(32) });
    await Promise.all([driver.create(machine, run), driver.create(second, run)]);
    expect(await Promise.all([driver.state(machine), driver.state(second)])).toEqual(['stopped', 'stopped']);
    await Promise.all([driver.remove(machine, run), driver.remove(second, run)]);
    await expectGone(made);
  });

  it('grows its disk at the next start, and copies it', async () => {
    const { driver, machine } = made;
    await driver.create(machine, run);
    await driver.start(withChange(machine, { settings: { ...machine.settings, diskBytes: 5 * GiB } }), run);
    expect((await stat(join(machine.paths.folder, 'data.vdi'))).size).toBe(5 * GiB);
    await driver.kill(machine, run);
    const raw = join(machine.paths.folder, 'copy.raw');
    await driver.copies?.writeDisk(machine, raw, run);
    expect((await stat(raw)).size).toBe(5 * GiB);
    await expect(driver.copies?.takeDisk(machine, raw, run)).rejects.toMatchObject({ code: 'invalid-setting' });
    await driver.remove(machine, run);
    await expectGone(made);
  });
});

describe('the VirtualBox driver says why it cannot be used', () => {
  const none = { PATH: '/nowhere' };
  const availability = (options: { arch?: string; environment?: PlayedVirtualbox['environment'] }) =>
    new VirtualboxDriver({
      computer: { platform: 'linux', arch: options.arch ?? 'x64', environment: options.environment ?? none },
    }).availability();

  it('where it is not installed, or the processor is another', async () => {
    expect(await availability({})).toContain('not installed');
    expect(await availability({ arch: 'arm64' })).toContain('arm64');
  });

  it('where its version is too old, or its kernel module is not loaded', async () => {
    await using vbox = await openPlayedVirtualbox();
    const { environment } = vbox;
    const said = (version: string) =>
      availability({ environment: { ...environment, PLAYED_VIRTUALBOX_VERSION: version } });
    expect(await said('6.1.50r161033\n')).toContain('6.1.50 is too old');
    expect(await said('WARNING: The vboxdrv kernel module is not loaded.\n7.0.20r163906\n')).toContain('vboxconfig');
    expect(await availability({ environment })).toBeNull();
  });
});

/** The same machine with something else: its memory stays one. */
function withChange(machine: DriverMachine, change: Partial<DriverMachine>): DriverMachine {
  return {
    ...machine,
    ...change,
    get memory() {
      return machine.memory;
    },
  };
}

async function reasonOf(signal: AbortSignal): Promise<unknown> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  return signal.reason;
}
