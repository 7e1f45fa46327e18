import { open as openFile, readdir, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PlayedHyperv } from '../../../test/peers/hyperv/played-hyperv.ts';
import { openPlayedHyperv } from '../../../test/peers/hyperv/played-hyperv.ts';
import { playedNeeds } from '../../../test/peers/played-command.ts';
import { sshdProgram } from '../../../test/peers/sshd.ts';
import { describeWith } from '../../../test/skip.ts';
import { openLine } from '../../machines/machine-keys.ts';
import type { MadeMachine } from '../driver.fixture.ts';
import { makeDriverMachine, withMachine } from '../driver.fixture.ts';
import type { DriverUnderTest } from '../driver.suite.ts';
import { describeDriver } from '../driver.suite.ts';
import type { BootImage, Driver, DriverMachine, DriverRun } from '../driver.ts';
import { HypervDriver } from './hyperv-driver.ts';

vi.setConfig({ testTimeout: 120_000 });

const GiB = 1024 ** 3;
const run: DriverRun = { tell: () => undefined, signal: new AbortController().signal };
const needs = ['linux', 'root', { program: sshdProgram }, { program: 'qemu-img' }, playedNeeds] as const;

type Made = MadeMachine & { readonly driver: Driver; readonly hyperv: PlayedHyperv };

async function make(options: { readonly bootMs: number } = { bootMs: 60_000 }): Promise<Made> {
  const hyperv = await openPlayedHyperv();
  const { computer, sshPort } = hyperv;
  const made = await makeDriverMachine({
    open: () => new HypervDriver({ computer, sshPort, bootMs: options.bootMs }),
    // Memory that Hyper-V would not take as it is.
    settings: { cpus: 1, memoryBytes: GiB + 1, diskBytes: 2 * GiB },
    image: await writeImage(join(hyperv.host.home, 'image.raw'), { isBootable: true }),
  });
  return {
    ...made,
    hyperv,
    async [Symbol.asyncDispose]() {
      await hyperv[Symbol.asyncDispose]();
      await made[Symbol.asyncDispose]();
    },
  };
}

async function writeImage(path: string, { isBootable }: { readonly isBootable: boolean }): Promise<BootImage> {
  await using file = await openFile(path, 'w');
  if (isBootable) await file.write(Buffer.from([0x55, 0xaa]), 0, 2, 510);
  await file.truncate(1024 ** 2);
  return { kernel: '', initrd: '', systemDisk: '', commandLine: '', bootableDisk: () => Promise.resolve(path) };
}

async function shell({ driver, machine }: Made, command: string): Promise<string> {
  const access = await driver.access(machine);
  if (access === null) throw new Error('it does not run');
  await using line = await openLine(access, { keys: machine.keys, signal: run.signal, deadlineMs: 60_000 });
  return await line.check(command, { signal: run.signal });
}

async function expectGone({ hyperv, machine }: Made): Promise<void> {
  expect(hyperv.host.vms()).toEqual([]);
  expect(machine.resources.all).toEqual([]);
  expect((await readdir(machine.paths.folder)).filter((name) => /vhdx|^vm$/.test(name))).toEqual([]);
}

describeDriver({
  title: 'the Hyper-V driver',
  needs,
  open: async (): Promise<DriverUnderTest> => {
    const made = await make();
    const { hyperv } = made;
    const { faults } = hyperv.host;
    return {
      driver: made.driver,
      machine: made.machine,
      shell: (command) => shell(made, command),
      powerOff: () => hyperv.shutDown(),
      crash: () => hyperv.crash(),
      peer: {
        left: () => hyperv.host.vms().map(({ name }) => name),
        deleteElsewhere: () => hyperv.host.vms().forEach((vm) => hyperv.host.remove(vm)),
        cutAt: (after, when) => faults.set([{ verb: '*', kind: `killed-${when}`, after, isLasting: true }]),
        moveAddress: () => hyperv.forgetLeases(),
        heal: () => faults.set([]),
        refusals: [
          {
            title: 'an account without rights',
            arrange: () => void faults.set([{ verb: '*', kind: 'access-denied' }]),
            code: 'driver-unavailable',
            says: 'Add-LocalGroupMember -SID S-1-5-32-578',
          },
          {
            title: 'no Default Switch',
            arrange: () => void faults.set([{ verb: 'Get-VMSwitch', kind: 'no-switch' }]),
            code: 'invalid-setting',
            says: '--hyperv-virtual-switch; there are: none',
          },
          {
            title: 'a virtual switch that is not there',
            arrange: (machine) => withMachine(machine, { settings: { ...machine.settings, virtualSwitch: 'none' } }),
            code: 'invalid-setting',
            says: 'there are: "Standardswitch", "External"',
          },
        ],
      },
      async [Symbol.asyncDispose]() {
        await expectGone(made);
        await made[Symbol.asyncDispose]();
      },
    };
  },
});

describeWith(needs, 'the Hyper-V driver, when a start goes wrong', () => {
  let made: Made;
  beforeEach(async () => {
    made = await make({ bootMs: 300 });
    await made.driver.create(made.machine, run);
  });
  afterEach(async () => {
    await made.driver.remove(made.machine, run);
    await expectGone(made);
    await made[Symbol.asyncDispose]();
  });
  const refused = (code: string, says: string) => ({ code, message: expect.stringContaining(says) as string });

  it('says that there is too little memory', async () => {
    const { driver, machine, hyperv } = made;
    hyperv.host.faults.set([{ verb: 'Start-VM', kind: 'no-memory' }]);
    await expect(driver.start(machine, run)).rejects.toMatchObject(refused('boot-failed', '--memory'));
    expect(await driver.state(machine)).toBe('stopped');
  });

  it('says where to switch on virtualisation', async () => {
    const { driver, machine, hyperv } = made;
    hyperv.host.faults.set([{ verb: 'Start-VM', kind: 'no-hypervisor' }]);
    await expect(driver.start(machine, run)).rejects.toMatchObject(refused('driver-unavailable', 'firmware'));
  });

  it('says that a machine without a boot loader was given no address, and ends it', async () => {
    const { driver, machine, hyperv } = made;
    const image = await writeImage(join(hyperv.host.home, 'dark.raw'), { isBootable: false });
    const failed = refused('boot-failed', 'given no address');
    await expect(driver.start(withMachine(machine, { image }), run)).rejects.toMatchObject(failed);
    expect(await driver.state(machine)).toBe('stopped');
  });

  it('ends soon when it is told to', async () => {
    const { driver, machine, hyperv } = made;
    hyperv.host.faults.set([{ verb: 'Start-VM', kind: 'hangs' }]);
    const enough = new AbortController();
    const start = driver.start(machine, { ...run, signal: enough.signal });
    await vi.waitUntil(() => hyperv.host.faults.areSpent, { timeout: 30_000 });
    const reason = new Error('enough');
    enough.abort(reason);
    await expect(start).rejects.toBe(reason);
    expect(await driver.state(machine)).toBe('stopped');
  });
});

describeWith(needs, 'a disk of a Hyper-V machine', () => {
  it('grows at the next start, and is copied', async () => {
    await using made = await make();
    const { driver, machine } = made;
    const { copies } = driver;
    if (copies === undefined) throw new Error('it has copies');
    await driver.create(machine, run);
    const larger = withMachine(machine, { settings: { ...machine.settings, diskBytes: 3 * GiB } });
    await driver.start(larger, run);
    await shell(made, 'echo here >/var/lib/skiff/kept');
    await driver.stop(machine, { ...run, graceMs: 60_000, powerOff: () => made.hyperv.shutDown() });
    const raw = join(machine.paths.folder, 'copy.raw');
    await copies.writeDisk(machine, raw, run);
    await expect(copies.takeDisk(machine, raw, run)).rejects.toMatchObject({ code: 'invalid-setting' });
    // Of a smaller disk, which its machine has grow: what a disk does not hold takes long to read all the same.
    await truncate(raw, 64 * 2 ** 20);
    await using copy = await makeDriverMachine({ open: () => driver, settings: larger.settings, name: 'copy' });
    const second: DriverMachine = withMachine(copy.machine, { image: machine.image });
    await copies.takeDisk(second, raw, run);
    await driver.create(second, run);
    await driver.start(second, run);
    expect(await shell({ ...made, machine: second }, 'cat /var/lib/skiff/kept')).toBe('here\n');
    await driver.remove(second, run);
    await driver.remove(machine, run);
    await expectGone(made);
  });
});

describe('the Hyper-V driver says why it cannot be used', () => {
  it('on another system, where Hyper-V is off, or PowerShell is nowhere', async () => {
    await using hyperv = await openPlayedHyperv();
    const { computer } = hyperv;
    const said = (change: Partial<typeof computer>) =>
      new HypervDriver({ computer: { ...computer, ...change } }).availability();
    expect(await said({})).toBeNull();
    expect(await said({ platform: 'darwin' })).toContain('--driver qemu');
    const { environment } = computer;
    expect(await said({ environment: { ...environment, SystemRoot: '/nowhere' } })).toContain(
      'Enable-WindowsOptionalFeature',
    );
    expect(await said({ environment: { ...environment, Path: '/nowhere' } })).toContain('powershell.exe');
  });
});
