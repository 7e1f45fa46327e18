import { open as openFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { playedNeeds } from '../../../test/peers/played-command.ts';
import { sshdProgram } from '../../../test/peers/sshd.ts';
import type { PlayedVirtualbox } from '../../../test/peers/virtualbox/played-virtualbox.ts';
import { openPlayedVirtualbox } from '../../../test/peers/virtualbox/played-virtualbox.ts';
import { describeWith } from '../../../test/skip.ts';
import { openLine } from '../../machines/machine-keys.ts';
import type { MadeMachine } from '../driver.fixture.ts';
import { makeDriverMachine, withMachine } from '../driver.fixture.ts';
import type { DriverUnderTest } from '../driver.suite.ts';
import { describeDriver } from '../driver.suite.ts';
import type { PeerUnderTest } from '../driver-under-test.ts';
import type { Driver, DriverRun } from '../driver.ts';
import { VirtualboxDriver } from './virtualbox-driver.ts';

const GiB = 1024 ** 3;
const run: DriverRun = { tell: () => undefined, signal: new AbortController().signal };
const needs = ['linux', 'root', { program: sshdProgram }, playedNeeds] as const;
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

function peerOf({ vbox: { register } }: Made): PeerUnderTest {
  return {
    left: () => [...register.machines().map(({ name }) => name), ...register.media()],
    deleteElsewhere: () => {
      for (const vm of register.machines()) register.remove(vm);
    },
    cutAt: (after, when) => register.faults.set([{ verb: '*', kind: `killed-${when}`, after }]),
    throttle: () => {
      const locked = { verb: 'createvm', kind: 'locked' } as const;
      register.faults.set([locked, locked]);
    },
    refusals: [
      {
        title: 'a disk that is full',
        arrange: () => void register.faults.set([{ verb: 'createmedium', kind: 'no-space' }]),
        code: 'no-space',
        says: 'VirtualBox has no room for the disks',
      },
    ],
    heal: () => register.faults.set([]),
  };
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
      crash: () => made.vbox.crash(),
      peer: peerOf(made),
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

  it('says where to switch on virtualisation', async () => {
    const { driver, machine, vbox } = made;
    await driver.create(machine, run);
    vbox.register.faults.set([{ verb: 'startvm', kind: 'no-virtualisation' }]);
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
    await expect(driver.start(withMachine(machine, { image }), run)).rejects.toMatchObject(failed);
    expect(await driver.state(machine)).toBe('stopped');
    await driver.remove(machine, run);
  });

  it('ends soon when it is told to', async () => {
    const { driver, machine, vbox } = made;
    await driver.create(machine, run);
    vbox.register.faults.set([{ verb: 'startvm', kind: 'hangs' }]);
    const signal = AbortSignal.timeout(1_000);
    await expect(driver.start(machine, { ...run, signal })).rejects.toBe(await reasonOf(signal));
    expect(await driver.state(machine)).toBe('stopped');
    await driver.remove(machine, run);
  });

  it('grows its disk at the next start, and copies it', async () => {
    const { driver, machine } = made;
    await driver.create(machine, run);
    await driver.start(withMachine(machine, { settings: { ...machine.settings, diskBytes: 5 * GiB } }), run);
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
    const said = async (version?: string): Promise<string | null> => {
      await using vbox = await openPlayedVirtualbox(version === undefined ? {} : { version });
      return await availability({ environment: vbox.environment });
    };
    expect(await said('6.1.50r161033\n')).toContain('6.1.50 is too old');
    expect(await said('WARNING: The vboxdrv kernel module is not loaded.\n7.0.20r163906\n')).toContain('vboxconfig');
    expect(await said()).toBeNull();
  });
});

async function reasonOf(signal: AbortSignal): Promise<unknown> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  return signal.reason;
}
