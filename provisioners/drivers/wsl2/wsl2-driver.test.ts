import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { playedNeeds } from '../../../test/peers/played-command.ts';
import { sshdProgram } from '../../../test/peers/sshd.ts';
import type { PlayedWsl2 } from '../../../test/peers/wsl2/played-wsl2.ts';
import { openPlayedWsl2 } from '../../../test/peers/wsl2/played-wsl2.ts';
import { describeWith } from '../../../test/skip.ts';
import { writeSystemDisk } from '../../machine-image/build.ts';
import { openLine } from '../../machines/machine-keys.ts';
import type { MadeMachine } from '../driver.fixture.ts';
import { makeDriverMachine, withMachine } from '../driver.fixture.ts';
import type { DriverUnderTest } from '../driver.suite.ts';
import { describeDriver } from '../driver.suite.ts';
import type { BootImage, Driver, DriverMachine, DriverRun, StopRun } from '../driver.ts';
import { Wsl2Driver } from './wsl2-driver.ts';

vi.setConfig({ testTimeout: 120_000 });

const run: DriverRun = { tell: () => undefined, signal: new AbortController().signal };
const needs = [
  'linux',
  'root',
  { program: sshdProgram },
  { program: 'qemu-img' },
  { program: 'mkfs.erofs' },
  playedNeeds,
] as const;
const notTold = (): Promise<never> => Promise.reject(new Error('nobody tells it over SSH'));
const stopRun: StopRun = { ...run, graceMs: 60_000, powerOff: notTold };

type Made = MadeMachine & { readonly driver: Driver; readonly wsl2: PlayedWsl2 };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skiff-system-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function writeImage(name: string): Promise<BootImage> {
  const root = join(folder, `${name}.root`);
  await mkdir(join(root, 'usr/lib/skiff'), { recursive: true });
  await writeFile(join(root, 'usr/lib/skiff/wsl-machine'), name);
  const systemDisk = join(folder, name);
  await writeSystemDisk({ root, path: systemDisk, signal: run.signal });
  return { kernel: '', initrd: '', systemDisk, commandLine: '', bootableDisk: notTold };
}

async function make(): Promise<Made> {
  const wsl2 = await openPlayedWsl2();
  const made = await makeDriverMachine({
    open: () => new Wsl2Driver({ computer: wsl2.computer, bootMs: 60_000 }),
    settings: {},
    image: await writeImage('system'),
  });
  return {
    ...made,
    wsl2,
    async [Symbol.asyncDispose]() {
      await wsl2[Symbol.asyncDispose]();
      await made[Symbol.asyncDispose]();
    },
  };
}

async function shell({ driver, machine }: Pick<Made, 'driver' | 'machine'>, command: string): Promise<string> {
  const access = await driver.access(machine);
  if (access === null) throw new Error('it does not run');
  await using line = await openLine(access, { keys: machine.keys, signal: run.signal, deadlineMs: 60_000 });
  return await line.check(command, { signal: run.signal });
}

async function expectGone({ wsl2, machine }: Made): Promise<void> {
  expect(wsl2.host.all()).toEqual([]);
  expect(machine.resources.all).toEqual([]);
  expect((await readdir(machine.paths.folder)).filter((name) => /vhdx|tar|^wsl$|pid/.test(name))).toEqual([]);
}

describeDriver({
  title: 'the WSL2 driver',
  needs,
  open: async (): Promise<DriverUnderTest> => {
    const made = await make();
    const { wsl2 } = made;
    const { faults } = wsl2.host;
    return {
      driver: made.driver,
      machine: made.machine,
      shell: (command) => shell(made, command),
      powerOff: notTold,
      crash: () => wsl2.crash(),
      peer: {
        left: () => wsl2.host.all().map(({ id }) => id),
        deleteElsewhere: () => wsl2.host.all().forEach((one) => wsl2.host.remove(one)),
        cutAt: (after, when) => faults.set([{ verb: '*', kind: `killed-${when}`, after, isLasting: true }]),
        heal: () => faults.set([]),
        refusals: [
          {
            title: 'no virtualisation',
            arrange: () => void faults.set([{ verb: '--import', kind: 'no-virtualisation' }]),
            code: 'driver-unavailable',
            says: 'wsl --install --no-distribution',
          },
          {
            title: 'a full disk',
            arrange: () => void faults.set([{ verb: '--import', kind: 'no-space' }]),
            code: 'no-space',
            says: 'disk of this computer is full',
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

describeWith(needs, 'a machine in WSL2', () => {
  let made: Made;
  beforeEach(async () => {
    made = await make();
    await made.driver.create(made.machine, run);
  });
  afterEach(async () => {
    await made.driver.remove(made.machine, run);
    await expectGone(made);
    await made[Symbol.asyncDispose]();
  });

  it('says what its console showed when it does not come up', async () => {
    const { driver, machine, wsl2 } = made;
    wsl2.host.faults.set([{ verb: 'boot', kind: 'dark', isLasting: true }]);
    const failed = { code: 'boot-failed', message: expect.stringContaining('was given no seed') as string };
    await expect(driver.start(machine, run)).rejects.toMatchObject(failed);
    expect(await driver.state(machine)).toBe('stopped');
  });

  it('is started anew when the process is gone that WSL held it for', async () => {
    const { driver, machine } = made;
    await driver.start(machine, run);
    await rm(machine.paths.processFile);
    await driver.start(machine, run);
    expect(await shell(made, 'echo here')).toBe('here\n');
  });

  it('does not run beside another, for both would have one network', async () => {
    const { driver, machine } = made;
    const image = machine.image ?? (await writeImage('system'));
    await using other = await makeDriverMachine({ open: () => driver, settings: {}, name: 'other', image });
    await driver.create(other.machine, run);
    await driver.start(machine, run);
    const refused = { code: 'busy', message: expect.stringContaining('Stop the other') as string };
    await expect(driver.start(other.machine, run)).rejects.toMatchObject(refused);
    await driver.stop(machine, stopRun);
    await driver.start(other.machine, run);
    await driver.remove(other.machine, run);
  });

  it('is given a newer system at its next start, and keeps what it has', async () => {
    const { driver, machine } = made;
    await driver.start(machine, run);
    await shell(made, 'echo here >/var/lib/skiff/kept');
    await driver.stop(machine, stopRun);
    const newer = await writeImage('newer');
    const told: string[] = [];
    const tell: DriverRun['tell'] = ({ detail }) => void told.push(detail ?? '');
    await driver.start(withMachine(machine, { image: newer }), { ...run, tell });
    expect(told).toContain('writing the newer system');
    expect(await shell(made, 'cat /var/lib/skiff/kept')).toBe('here\n');
  });

  it('is copied with all that is in it', async () => {
    const { driver, machine } = made;
    const { copies } = driver;
    if (copies === undefined) throw new Error('it has copies');
    await driver.start(machine, run);
    await shell(made, 'echo here >/var/lib/skiff/kept');
    await driver.stop(machine, stopRun);
    const raw = join(machine.paths.folder, 'copy.raw');
    await copies.writeDisk(machine, raw, run);
    await using copy = await makeDriverMachine({ open: () => driver, settings: {}, name: 'copy' });
    const second: DriverMachine = withMachine(copy.machine, { image: machine.image });
    await copies.takeDisk(second, raw, run);
    await driver.create(second, run);
    await driver.start(second, run);
    expect(await shell({ driver, machine: second }, 'cat /var/lib/skiff/kept')).toBe('here\n');
    await driver.remove(second, run);
  });

  it('keeps its keys from everybody but its user', async () => {
    const { driver, machine, wsl2 } = made;
    await driver.start(machine, run);
    const [distribution] = wsl2.host.all();
    expect(JSON.stringify(distribution)).not.toContain('PRIVATE');
    expect(await readFile(machine.paths.serialLog, 'utf8')).not.toContain('PRIVATE');
  });
});

describe('the WSL2 driver says why it cannot be used', () => {
  it('on another system, or where WSL is not there', async () => {
    await using wsl2 = await openPlayedWsl2();
    const { computer } = wsl2;
    const said = (change: Partial<typeof computer>) =>
      new Wsl2Driver({ computer: { ...computer, ...change } }).availability();
    expect(await said({})).toBeNull();
    expect(await said({ platform: 'linux' })).toContain('--driver qemu');
    expect(await said({ environment: { SystemRoot: '/nowhere' } })).toContain('wsl --install');
  });
});
