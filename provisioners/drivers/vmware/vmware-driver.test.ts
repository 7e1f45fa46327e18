import { open as openFile, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { playedNeeds } from '../../../test/peers/played-command.ts';
import { sshdProgram } from '../../../test/peers/sshd.ts';
import type { PlayedVmware } from '../../../test/peers/vmware/played-vmware.ts';
import { openPlayedVmware } from '../../../test/peers/vmware/played-vmware.ts';
import { describeWith } from '../../../test/skip.ts';
import { openLine } from '../../machines/machine-keys.ts';
import type { MadeMachine } from '../driver.fixture.ts';
import { makeDriverMachine, withMachine } from '../driver.fixture.ts';
import type { DriverUnderTest } from '../driver.suite.ts';
import { describeDriver } from '../driver.suite.ts';
import type { BootImage, Driver, DriverMachine, DriverRun } from '../driver.ts';
import { filesOf } from './machine-files.ts';
import { VmwareDriver } from './vmware-driver.ts';
import { vmxValue } from './vmx.ts';

vi.setConfig({ testTimeout: 90_000 });

const GiB = 1024 ** 3;
const run: DriverRun = { tell: () => undefined, signal: new AbortController().signal };
const needs = ['linux', 'root', { program: sshdProgram }, playedNeeds] as const;

type Made = MadeMachine & { readonly driver: Driver; readonly vmware: PlayedVmware };

const openDriver = ({ environment, sshPort, world }: PlayedVmware, bootMs = 30_000): VmwareDriver => {
  const computer = { platform: 'linux', arch: 'x64', environment } as const;
  return new VmwareDriver({ computer, leasesFiles: [world.leasesFile], sshPort, bootMs });
};

async function make(): Promise<Made> {
  const vmware = await openPlayedVmware();
  const made = await makeDriverMachine({
    open: () => openDriver(vmware),
    settings: { cpus: 1, memoryBytes: GiB, diskBytes: 4 * GiB },
    image: await writeImage(join(vmware.world.home, 'image.raw')),
  });
  return {
    ...made,
    vmware,
    async [Symbol.asyncDispose]() {
      await vmware[Symbol.asyncDispose]();
      await made[Symbol.asyncDispose]();
    },
  };
}

/** A disk that has a boot sector and nothing else. */
async function writeImage(path: string): Promise<BootImage> {
  await using file = await openFile(path, 'w');
  await file.write(Buffer.from([0x55, 0xaa]), 0, 2, 510);
  await file.truncate(1024 ** 2);
  return { kernel: '', initrd: '', systemDisk: '', commandLine: '', bootableDisk: () => Promise.resolve(path) };
}

async function shell({ driver, machine }: Made, command: string): Promise<string> {
  const access = await driver.access(machine);
  if (access === null) throw new Error('it does not run');
  await using line = await openLine(access, { keys: machine.keys, signal: run.signal, deadlineMs: 30_000 });
  return await line.check(command, { signal: run.signal });
}

const left = ({ world }: PlayedVmware): string[] => world.machines().map(({ vmx, state }) => `${vmx} is ${state}`);

describeDriver({
  title: 'the VMware driver',
  needs,
  open: async (): Promise<DriverUnderTest> => {
    const made = await make();
    const { vmware, machine } = made;
    return {
      driver: made.driver,
      machine,
      shell: (command) => shell(made, command),
      powerOff: () => Promise.resolve(vmware.powerOffInside()),
      crash: () => vmware.crash(),
      peer: {
        left: () => left(vmware),
        deleteElsewhere: () => rm(filesOf(machine.paths).folder, { recursive: true }),
        moveAddress: () => vmware.world.addresses.move(),
      },
      async [Symbol.asyncDispose]() {
        expect(left(vmware)).toEqual([]);
        await made[Symbol.asyncDispose]();
      },
    };
  },
});

describeWith(needs, 'the VMware driver, when VMware or its guest goes wrong', () => {
  let made: Made;
  let driver: Driver;
  let machine: DriverMachine;
  beforeEach(async () => {
    made = await make();
    ({ driver, machine } = made);
    await driver.create(machine, run);
  });
  afterEach(async () => {
    made.vmware.world.faults.set([]);
    await driver.remove(machine, run);
    // What was the memory of a suspended one is gone a moment after its file.
    await vi.waitFor(() => expect(left(made.vmware)).toEqual([]), { timeout: 20_000 });
    expect((await readdir(machine.paths.folder)).filter((name) => /vmdk|vmware|disk$/.test(name))).toEqual([]);
    await made[Symbol.asyncDispose]();
  });

  it.each([
    ['in-use', 'busy', 'Close it there'],
    ['no-virtualisation', 'driver-unavailable', 'firmware'],
    ['little-memory', 'boot-failed', '--memory'],
  ] as const)('says what to do when VMware refuses to start it: %s', async (kind, code, says) => {
    made.vmware.world.faults.set([{ verb: 'start', kind }]);
    const refused = { code, message: expect.stringContaining(says) as string };
    await expect(driver.start(machine, run)).rejects.toMatchObject(refused);
    expect(await driver.state(machine)).toBe('stopped');
  });

  it('says what a machine that never came up showed, and ends it', async () => {
    const dark = { verb: 'start', kind: 'dark' } as const;
    made.vmware.world.faults.set([dark, dark]);
    const failed = { code: 'boot-failed', message: expect.stringContaining('No compatible bootloader') as string };
    await expect(openDriver(made.vmware, 300).start(machine, run)).rejects.toMatchObject(failed);
    expect(await driver.state(machine)).toBe('stopped');
  });

  it('finds by the DHCP server a machine whose console nobody hears', async () => {
    made.vmware.world.faults.set([{ verb: 'start', kind: 'silent-console' }]);
    await driver.start(machine, run);
    expect(await shell(made, 'echo here')).toBe('here\n');
  });

  it('ends a machine of whose start VMware told nothing, and starts it again', async () => {
    made.vmware.world.faults.set([{ verb: 'start', kind: 'killed-after' }]);
    await expect(driver.start(machine, run)).rejects.toMatchObject({ code: 'internal' });
    expect(await driver.state(machine)).toBe('stopped');
    await driver.start(machine, run);
    expect(await shell(made, 'echo here')).toBe('here\n');
  });

  it('is removed although vmrun died at some call of it', async () => {
    for (let call = 0; ; call++) {
      await driver.create(machine, run);
      await driver.start(machine, run);
      made.vmware.world.faults.set([{ verb: '*', kind: 'killed-before', after: call }]);
      const isCut = await driver.remove(machine, run).then(
        () => false,
        () => true,
      );
      made.vmware.world.faults.set([]);
      await driver.remove(machine, run);
      expect(left(made.vmware)).toEqual([]);
      if (isCut) continue;
      // Looking, ending, looking: a fault that came at no call would prove nothing.
      expect(call).toBe(3);
      return;
    }
  });

  it('ends soon when it is told to', async () => {
    made.vmware.world.faults.set([{ verb: 'start', kind: 'hangs' }]);
    const signal = AbortSignal.timeout(2_000);
    await expect(driver.start(machine, { ...run, signal })).rejects.toMatchObject({ name: 'TimeoutError' });
    expect(await driver.state(machine)).toBe('stopped');
  });

  it('ends a machine that cannot be told to power off', async () => {
    await driver.start(machine, run);
    const powerOff = (): Promise<void> => Promise.reject(new Error('nobody answers'));
    await driver.stop(machine, { ...run, graceMs: 200, powerOff });
    expect(await driver.state(machine)).toBe('stopped');
  });

  it('throws saved memory away with a power cut', async () => {
    await driver.start(machine, run);
    await driver.suspend?.suspend(machine, run);
    expect(await driver.state(machine)).toBe('suspended');
    await driver.kill(machine, run);
    expect(await driver.state(machine)).toBe('stopped');
    expect(vmxValue(await readFile(filesOf(machine.paths).vmx, 'utf8'), 'checkpoint.vmState')).toBeNull();
  });

  it('grows its disk at the next start, and copies it', async () => {
    await driver.start(withMachine(machine, { settings: { ...machine.settings, diskBytes: 5 * GiB } }), run);
    expect((await stat(machine.paths.dataDisk)).size).toBe(5 * GiB);
    await driver.kill(machine, run);
    const raw = join(machine.paths.folder, 'copy.raw');
    await driver.copies?.writeDisk(machine, raw, run);
    expect((await stat(raw)).size).toBe(5 * GiB);
    await expect(driver.copies?.takeDisk(machine, raw, run)).rejects.toMatchObject({ code: 'invalid-setting' });
  });
});

describe('the VMware driver says why it cannot be used', () => {
  const none = { PATH: '/nowhere' };
  const availability = (computer: {
    platform?: NodeJS.Platform;
    arch?: string;
    environment?: PlayedVmware['environment'];
  }) =>
    new VmwareDriver({ computer: { platform: 'darwin', arch: 'x64', environment: none, ...computer } }).availability();

  it('where it is not installed, or there is none for the processor', async () => {
    expect(await availability({})).toContain('VMware Fusion');
    expect(await availability({ arch: 'arm64' })).toContain('VMware Fusion');
    expect(await availability({ platform: 'win32' })).toContain('Workstation');
    expect(await availability({ platform: 'win32', arch: 'arm64' })).toContain('--driver qemu');
  });

  it('not for copies of disks on Windows', () => {
    const { snapshots, copies } = new VmwareDriver({ computer: { platform: 'win32', arch: 'x64', environment: none } });
    expect([snapshots, copies]).toEqual([undefined, undefined]);
  });

  it('where its version is too old, or is none', async () => {
    const said = async (version: string): Promise<string | null> => {
      await using vmware = await openPlayedVmware({ version });
      return await availability({ environment: vmware.environment });
    };
    expect(await said('1.15.8')).toContain('1.15 is too old');
    expect(await said('none')).toContain("is it VMware's?");
    expect(await said('1.17.0')).toBeNull();
  });
});
