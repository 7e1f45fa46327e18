import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { playedNeeds } from '../../../test/peers/played-command.ts';
import { sshdProgram } from '../../../test/peers/sshd.ts';
import type { PlayedVfkit } from '../../../test/peers/vfkit/played-vfkit.ts';
import { openPlayedVfkit } from '../../../test/peers/vfkit/played-vfkit.ts';
import { describeWith } from '../../../test/skip.ts';
import { openLine } from '../../machines/machine-keys.ts';
import type { MadeMachine } from '../driver.fixture.ts';
import { makeDriverMachine, withMachine } from '../driver.fixture.ts';
import type { DriverUnderTest } from '../driver.suite.ts';
import { describeDriver } from '../driver.suite.ts';
import type { BootImage, Driver, DriverMachine, DriverRun } from '../driver.ts';
import { filesOf } from './vfkit-process.ts';
import { VfkitDriver } from './vfkit-driver.ts';

vi.setConfig({ testTimeout: 90_000 });

const GiB = 1024 ** 3;
const run: DriverRun = { tell: () => undefined, signal: new AbortController().signal };
const needs = ['linux', 'root', { program: sshdProgram }, playedNeeds] as const;
const mac = (environment: PlayedVfkit['environment']) => ({ platform: 'darwin', arch: 'arm64', environment }) as const;

type Made = MadeMachine & { readonly driver: Driver; readonly vfkit: PlayedVfkit };

const openDriver = (vfkit: PlayedVfkit, bootMs = 30_000): VfkitDriver =>
  new VfkitDriver({
    computer: mac(vfkit.environment),
    leasesFile: vfkit.leasesFile,
    sshPort: vfkit.sshPort,
    bootMs,
  });

async function make(): Promise<Made> {
  const vfkit = await openPlayedVfkit();
  const made = await makeDriverMachine({
    open: () => openDriver(vfkit),
    settings: { cpus: 1, memoryBytes: GiB, diskBytes: 4 * GiB },
    image: await writeImage(vfkit.folder),
  });
  return {
    ...made,
    vfkit,
    async [Symbol.asyncDispose]() {
      await vfkit[Symbol.asyncDispose]();
      await made[Symbol.asyncDispose]();
    },
  };
}

async function writeImage(folder: string): Promise<BootImage> {
  const [kernel, initrd, systemDisk] = [join(folder, 'kernel'), join(folder, 'initrd'), join(folder, 'system.erofs')];
  const header = Buffer.alloc(64);
  header.write('ARMd', 0x38, 'latin1');
  await writeFile(kernel, header);
  await writeFile(initrd, '');
  await writeFile(systemDisk, Buffer.alloc(4096));
  return {
    kernel,
    initrd,
    systemDisk,
    commandLine: 'console=ttyAMA0 quiet lsm=landlock,yama,bpf',
    bootableDisk: () => Promise.reject(new Error('vfkit boots the kernel itself')),
  };
}

async function shell({ driver, machine }: Made, command: string): Promise<string> {
  const access = await driver.access(machine);
  if (access === null) throw new Error('it does not run');
  await using line = await openLine(access, { keys: machine.keys, signal: run.signal, deadlineMs: 30_000 });
  return await line.check(command, { signal: run.signal });
}

describeDriver({
  title: 'the vfkit driver',
  needs,
  open: async (): Promise<DriverUnderTest> => {
    const made = await make();
    const { vfkit } = made;
    return {
      driver: made.driver,
      machine: made.machine,
      shell: (command) => shell(made, command),
      powerOff: () => Promise.resolve(vfkit.powerOffInside()),
      crash: () => vfkit.crash(),
      peer: {
        left: () => vfkit.running().map((pid) => `process ${pid}`),
        moveAddress: () => vfkit.moveAddresses(),
        refusals: [
          {
            title: 'a path that vfkit cannot be given',
            arrange: (machine) =>
              withMachine(machine, { paths: { ...machine.paths, dataDisk: '/nowhere/a,b/data.disk' } }),
            code: 'invalid-setting',
            says: 'comma',
          },
        ],
      },
      async [Symbol.asyncDispose]() {
        expect(vfkit.running()).toEqual([]);
        await made[Symbol.asyncDispose]();
      },
    };
  },
});

describeWith(needs, 'the vfkit driver, when vfkit or its guest goes wrong', () => {
  let made: Made;
  let driver: Driver;
  let machine: DriverMachine;
  beforeEach(async () => {
    made = await make();
    ({ driver, machine } = made);
    await driver.create(machine, run);
  });
  afterEach(async () => {
    await driver.remove(machine, run);
    expect(made.vfkit.running()).toEqual([]);
    await made[Symbol.asyncDispose]();
  });

  it.each([
    ['no-entitlement', 'driver-unavailable', 'brew install vfkit'],
    ['too-many', 'quota', 'End another one'],
  ] as const)('says what to do when vfkit refuses it: %s', async (fault, code, says) => {
    made.vfkit.setFaults([fault]);
    const refused = { code, message: expect.stringContaining(says) as string };
    await expect(driver.start(machine, run)).rejects.toMatchObject(refused);
    expect(await driver.state(machine)).toBe('stopped');
  });

  it('starts again what dies as it starts, and gives up in the end', async () => {
    made.vfkit.setFaults(['dies', 'dies']);
    await driver.start(machine, run);
    expect(await driver.state(machine)).toBe('running');
    await driver.kill(machine, run);
    made.vfkit.setFaults(['dies', 'dies', 'dies']);
    const failed = { code: 'boot-failed', message: expect.stringContaining('hypervisor') as string };
    await expect(driver.start(machine, run)).rejects.toMatchObject(failed);
  });

  it('says that it came to no address, and ends it', async () => {
    made.vfkit.setFaults(['dark', 'dark', 'dark']);
    const failed = { code: 'boot-failed', message: expect.stringContaining('Local Network') as string };
    await expect(openDriver(made.vfkit, 300).start(machine, run)).rejects.toMatchObject(failed);
    expect(await driver.state(machine)).toBe('stopped');
  });

  it('finds by the DHCP server a machine whose console nobody hears', async () => {
    made.vfkit.setFaults(['silent-console']);
    await driver.start(machine, run);
    expect(await shell(made, 'echo here')).toBe('here\n');
  });

  it('finds a machine whose process was never noted, and leaves none when it is told to end', async () => {
    await driver.start(machine, run);
    await rm(filesOf(machine.paths).processFile);
    expect(await driver.state(machine)).toBe('running');
    await driver.kill(machine, run);
    made.vfkit.setFaults(['dark']);
    const signal = AbortSignal.timeout(1_000);
    await expect(driver.start(machine, { ...run, signal })).rejects.toMatchObject({ name: 'TimeoutError' });
    expect(await driver.state(machine)).toBe('stopped');
  });

  it('ends a machine that cannot be told to power off', async () => {
    await driver.start(machine, run);
    const powerOff = (): Promise<void> => Promise.reject(new Error('nobody answers'));
    await driver.stop(machine, { ...run, graceMs: 200, powerOff });
    expect(await driver.state(machine)).toBe('stopped');
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

describe('the vfkit driver says why it cannot be used', () => {
  const none = { PATH: '/nowhere' };
  const availability = (computer: {
    platform?: NodeJS.Platform;
    arch?: string;
    environment?: PlayedVfkit['environment'];
  }) => new VfkitDriver({ computer: { ...mac(none), ...computer } }).availability();

  it('where the computer is no Mac with Apple silicon, or has no vfkit', async () => {
    expect(await availability({ platform: 'linux' })).toContain('macOS');
    expect(await availability({ platform: 'win32' })).toContain('macOS');
    expect(await availability({ arch: 'x64' })).toContain('Apple silicon');
    expect(await availability({})).toContain('brew install vfkit');
  });

  it('where its version is too old, or is none', async () => {
    const said = async (version: string): Promise<string | null> => {
      await using vfkit = await openPlayedVfkit({ version });
      return await availability({ environment: vfkit.environment });
    };
    expect(await said('v0.1.2')).toContain('0.1.2 is too old');
    expect(await said('unknown')).toContain('is it vfkit?');
    expect(await said('v0.5.0')).toBeNull();
  });
});
