import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MachineError, type CreateMachine } from '../../../provisioners/machines.ts';
import { runStep } from '../../../provisioners/progress.ts';
import { FollowedList, openDesktopCore, type DesktopCore } from '../../../test/peers/desktop-core.ts';
import type { Machine } from '../../contract/machines.ts';
import { parseUsage } from './machine-usage.ts';

const slow = { timeoutMs: null };
const name = 'default';

describe('changes of machines', () => {
  let desktop: DesktopCore;
  let list: FollowedList<Machine, string>;
  const row = (fits: (machine: Machine) => boolean, of = name) =>
    list.until((rows) => rows.find((machine) => machine.name === of && fits(machine)));

  beforeEach(async () => {
    desktop = await openDesktopCore({
      prepare: (machines) => machines.add(name, { abilities: ['pause', 'snapshots'] }),
    });
    list = new FollowedList(
      (signal) => desktop.client.machines.watch({}, { signal }),
      ({ name: key }) => key,
    );
  });

  afterEach(async () => {
    await list[Symbol.asyncDispose]();
    await desktop[Symbol.asyncDispose]();
  });

  it('pauses and resumes, telling what can be asked of it', async () => {
    await row(({ abilities }) => abilities.join() === 'pause,snapshots');
    await desktop.client.machines.pause({ name }, slow);
    await row(({ state, operation }) => state === 'paused' && operation?.verb === 'pause');
    await desktop.client.machines.resume({ name }, slow);
    await row(({ state }) => state === 'running');
  });

  it('resizes, and says what waits for the next start', async () => {
    const { waiting } = await desktop.client.machines.resize(
      { name, settings: { memoryBytes: 2 ** 32, diskBytes: 2 ** 36 } },
      slow,
    );
    expect(waiting).toEqual(['memoryBytes']);
    await row(({ settings }) => settings?.['memoryBytes'] === 2 ** 32);
  });

  it('changes which folders are shared, by whole paths alone', async () => {
    const { machines } = desktop.client;
    await machines.share({ name, add: ['/srv/data:/data:ro'], remove: [] }, slow);
    await row(({ settings }) => JSON.stringify(settings?.['shares']) === '["/srv/data:/data:ro"]');
    await expect(machines.share({ name, add: ['data'], remove: [] }, slow)).rejects.toMatchObject({
      code: 'invalid-input',
    });
  });

  it('takes, lists and removes snapshots', async () => {
    const { machines } = desktop.client;
    await machines.takeSnapshot({ name, snapshot: 'before' }, slow);
    expect((await machines.snapshots({ name })).snapshots).toMatchObject([{ name: 'before', sizeBytes: 2 ** 30 }]);
    await row(({ operation }) => operation?.verb === 'take-snapshot' && operation.state === 'done');
    await machines.removeSnapshot({ name, snapshot: 'before' }, slow);
    expect((await machines.snapshots({ name })).snapshots).toEqual([]);
  });

  it('copies, and keeps why a copy failed', async () => {
    await desktop.client.machines.clone({ name, copy: 'second' }, slow);
    await row(({ state }) => state === 'stopped', 'second');
    desktop.machines.script = async (_, operation) =>
      runStep({ step: 'change', title: 'Copying', operation }, async () => {
        throw new MachineError('no-space', 'There is no room.');
      });
    await expect(desktop.client.machines.clone({ name, copy: 'third' }, slow)).rejects.toMatchObject({
      code: 'no-space',
    });
    await row(({ operation }) => operation?.error?.message === 'There is no room.');
  });

  it('wants a whole path for an export, and takes no file’s place', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'skiff-export-'));
    try {
      const file = join(folder, 'machine.skiff');
      expect(await desktop.client.machines.export({ name, file }, slow)).toEqual({ file });
      await writeFile(file, '');
      await expect(desktop.client.machines.export({ name, file }, slow)).rejects.toMatchObject({
        code: 'name-taken',
        message: `There is a file ${file} already; choose another name.`,
      });
      await expect(desktop.client.machines.export({ name, file: 'here' }, slow)).rejects.toMatchObject({
        code: 'invalid-input',
        message: expect.stringContaining('must be a whole path'),
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('leaves no row of a machine of which nothing came to be', async () => {
    const made = desktop.client.machines.create({ name: 'new', driver: 'nonsense' }, slow);
    await expect(made).rejects.toMatchObject({ code: 'no-such-driver' });
    await list.until((rows) => rows.every((machine) => machine.name !== 'new') || undefined);
    // Nor is it remembered: the next one of that name is another.
    await desktop.client.machines.ensureRunning({ name: 'new' }, slow);
    await row(({ state, driver }) => state === 'running' && driver === 'fake', 'new');
  });

  it('goes on with what was asked for, its secrets too, when it is told to try again', async () => {
    const asked: CreateMachine[] = [];
    const create = desktop.machines.ensureRunning.bind(desktop.machines);
    desktop.machines.ensureRunning = (request, operation) => {
      asked.push(request);
      return create(request, operation);
    };
    desktop.machines.script = async () => {
      throw new MachineError('boot-failed', 'It did not start.');
    };
    const settings = { cpus: 2, sudoPassword: 'hush' };
    await expect(
      desktop.client.machines.create({ name: 'new', driver: 'fake', settings, keepsSecrets: true }, slow),
    ).rejects.toMatchObject({ code: 'boot-failed' });
    await row(({ state }) => state === 'create-failed', 'new');
    desktop.machines.script = async () => undefined;
    await desktop.client.machines.ensureRunning({ name: 'new' }, slow);
    expect(asked).toEqual([{ name: 'new', driver: 'fake', settings, keepsSecrets: true }]);
  });

  it('shows what earlier machines left, and removes what was chosen', async () => {
    desktop.machines.left = ['docker context "a"', 'docker context "b"'];
    const { machines } = desktop.client;
    expect((await machines.leftovers()).leftovers).toEqual([
      { title: 'docker context "a"', sizeBytes: null, cost: null },
      { title: 'docker context "b"', sizeBytes: null, cost: null },
    ]);
    expect(await machines.removeLeftovers({ titles: ['docker context "a"', 'gone'] })).toEqual({ failed: [] });
    expect(desktop.machines.left).toEqual(['docker context "b"']);
  });

  it('reads the engine’s log in the machine, from its last bytes on', async () => {
    let asked: string | null = null;
    desktop.machines.shell = async (command) => {
      asked = command;
      return 'listening\n';
    };
    let text = '';
    const log = desktop.client.machines.log({ name, source: 'engine', tailBytes: 100, follow: false });
    for await (const piece of log) text += piece.text;
    expect(text).toBe('listening\n');
    expect(asked).toBe("tail -c 100 '/var/log/skiffd.log'");
  });

  it('says what is wrong with a machine, as the doctor has it', async () => {
    const finding = { about: 'Machine default', machine: name, verdict: 'bad' as const, says: 'port 80 is in use' };
    desktop.machines.findings = [finding];
    expect((await desktop.client.machines.examine()).findings).toEqual([finding]);
  });
});

describe('what a machine uses', () => {
  const meminfo = 'MemTotal:        2000000 kB\nMemFree:          100000 kB\nMemAvailable:    1500000 kB\n';

  it('is read from df and meminfo', () => {
    const df =
      'Filesystem     1024-blocks    Used Available Capacity Mounted on\n/dev/vdb          65792556 1048576  61369720       2% /var/lib/skiff\n';
    expect(parseUsage(df + meminfo)).toEqual({
      disk: { usedBytes: 2 ** 30, totalBytes: 65_792_556 * 1024 },
      memory: { usedBytes: 500_000 * 1024, totalBytes: 2_000_000 * 1024 },
    });
  });

  it('is an error when the machine speaks of something else', () => {
    expect(() => parseUsage(`df: no such folder\n${meminfo}`)).toThrow('makes no sense');
  });
});
