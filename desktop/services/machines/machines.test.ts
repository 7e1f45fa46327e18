import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/eventually.ts';
import { runStep } from '../../../provisioners/progress.ts';
import { MachineError } from '../../../provisioners/machines.ts';
import {
  FollowedList,
  openDesktopCore,
  type DesktopCore,
  type DesktopCoreOptions,
} from '../../../test/peers/desktop-core.ts';
import type { Machine } from '../../contract/machines.ts';

const slow = { timeoutMs: null };
const wanted = { name: 'default' };

describe('machines', () => {
  let desktop: DesktopCore;
  let list: FollowedList<Machine, string>;

  const open = async (options: DesktopCoreOptions = {}): Promise<void> => {
    desktop = await openDesktopCore(options);
    list = new FollowedList(
      (signal) => desktop.client.machines.watch({}, { signal }),
      ({ name }) => name,
    );
  };
  const operation = (state: string) =>
    list.until((rows) => rows.map((row) => row.operation).find((one) => one?.state === state) ?? undefined);

  afterEach(async () => {
    await list[Symbol.asyncDispose]();
    await desktop[Symbol.asyncDispose]();
    expect(desktop.machines.watchers).toBe(0);
  });

  it('shows a machine being made step by step, to a page that came later too', async () => {
    await open();
    const booted = Promise.withResolvers<void>();
    desktop.machines.script = async (_, running) => {
      await runStep({ step: 'image', title: 'Building the image', operation: running }, async () => {});
      await runStep({ step: 'boot', title: 'Starting', operation: running }, async (tell) => {
        tell({ fraction: 0.5, detail: 'kernel' });
        await booted.promise;
      });
    };
    const made = desktop.client.machines.ensureRunning(wanted, slow);
    await list.until((rows) => rows[0]?.operation?.steps[1]?.detail === 'kernel');
    const late = new FollowedList(
      (signal) => desktop.client.machines.watch({}, { signal }),
      ({ name }: Machine) => name,
    );
    const seen = await late.until((rows) => rows[0]);
    await late[Symbol.asyncDispose]();
    expect(seen).toMatchObject({ name: 'default', state: 'creating' });
    expect(seen.operation).toMatchObject({
      verb: 'ensure-running',
      state: 'running',
      error: null,
      steps: [
        { step: 'image', title: 'Building the image', state: 'done', fraction: null, detail: null },
        { step: 'boot', title: 'Starting', state: 'running', fraction: 0.5, detail: 'kernel' },
      ],
    });
    booted.resolve();
    expect(await made).toEqual({});
    await list.until((rows) => rows[0]?.state === 'running' && rows[0].operation?.state === 'done');
    expect(desktop.faults).toEqual([]);
  });

  it('lets a step that runs grow older for whoever looks later', async () => {
    let now = 1_000_000;
    await open({ clock: { now: () => now, sleep: async () => {} } });
    const over = Promise.withResolvers<void>();
    desktop.machines.script = async (_, running) => {
      running.report({ step: 'boot', title: 'Starting', state: 'running', elapsedMs: 100 });
      await over.promise;
    };
    const made = desktop.client.machines.create(wanted, slow);
    await list.until((rows) => rows[0]?.operation?.steps.length === 1);
    now += 5000;
    const late = new FollowedList(
      (signal) => desktop.client.machines.watch({}, { signal }),
      ({ name }: Machine) => name,
    );
    const seen = await late.until((rows) => rows[0]?.operation ?? undefined);
    expect(seen).toMatchObject({ startedAt: 1_000_000, elapsedMs: 5000, steps: [{ elapsedMs: 5100 }] });
    await late[Symbol.asyncDispose]();
    over.resolve();
    await made;
  });

  it('goes on when the page that asked goes away', async () => {
    await open();
    const booted = Promise.withResolvers<void>();
    desktop.machines.script = () => booted.promise;
    const page = new AbortController();
    const asked = desktop.client.machines.ensureRunning(wanted, { ...slow, signal: page.signal });
    await operation('running');
    page.abort();
    await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
    const again = desktop.client.machines.ensureRunning(wanted, slow);
    booted.resolve();
    await again;
    await operation('done');
  });

  it('keeps why an operation failed, and starts anew on "try again"', async () => {
    await open();
    desktop.machines.script = async (_, running) =>
      runStep({ step: 'boot', title: 'Starting', operation: running }, async () => {
        throw new MachineError('boot-failed', 'The machine did not start. Look at its log.');
      });
    await expect(desktop.client.machines.ensureRunning(wanted, slow)).rejects.toMatchObject({ code: 'boot-failed' });
    const failed = await operation('failed');
    expect(failed).toMatchObject({
      error: { code: 'boot-failed', message: 'The machine did not start. Look at its log.' },
      steps: [{ step: 'boot', state: 'failed', detail: 'The machine did not start. Look at its log.' }],
    });
    expect(list.rows[0]).toMatchObject({ state: 'create-failed' });
    desktop.machines.script = async () => {};
    await desktop.client.machines.ensureRunning(wanted, slow);
    await list.until((rows) => rows[0]?.state === 'running' && rows[0].operation?.state === 'done');
  });

  it('lists a machine that failed before anything was written, until it is removed', async () => {
    await open();
    const made = desktop.client.machines.ensureRunning({ ...wanted, driver: 'nonsense' }, slow);
    await expect(made).rejects.toMatchObject({ code: 'no-such-driver' });
    const row = await list.until((rows) => rows[0]);
    expect(row).toMatchObject({ name: 'default', driver: null, state: 'create-failed' });
    expect(row.error).toContain('nonsense');
    await desktop.client.machines.remove(wanted, slow);
    await list.until((rows) => rows.length === 0);
  });

  it('cancels, and says so to everybody', async () => {
    await open();
    desktop.machines.script = (_, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const made = desktop.client.machines.create(wanted, slow);
    await operation('running');
    await desktop.client.machines.cancel(wanted);
    await expect(made).rejects.toMatchObject({ code: 'aborted' });
    await operation('cancelled');
    await expect(desktop.client.machines.cancel(wanted)).rejects.toMatchObject({ code: 'not-running' });
  });

  it('does one thing at a time to a machine, and says what', async () => {
    await open({ prepare: (machines) => machines.add('default') });
    const stopped = Promise.withResolvers<void>();
    desktop.machines.script = () => stopped.promise;
    const stopping = desktop.client.machines.stop(wanted, slow);
    await operation('running');
    await expect(desktop.client.machines.start(wanted, slow)).rejects.toMatchObject({
      code: 'busy',
      message: expect.stringContaining('Stopping the machine default'),
    });
    stopped.resolve();
    await stopping;
    await list.until((rows) => rows[0]?.state === 'stopped');
  });

  it('leaves no trace in the steps of what was refused', async () => {
    await open({ prepare: (machines) => machines.add('default') });
    await expect(desktop.client.machines.create(wanted, slow)).rejects.toMatchObject({ code: 'name-taken' });
    await expect(desktop.client.machines.start(wanted, slow)).rejects.toMatchObject({ code: 'already-running' });
    await expect(desktop.client.machines.stop({ name: 'nobody' }, slow)).rejects.toMatchObject({
      code: 'no-such-machine',
    });
    const seen = await list.until((rows) => rows.length === 1 && rows[0]);
    expect(seen).toMatchObject({ name: 'default', operation: null });
  });

  it('shows what another process does', async () => {
    await open({ prepare: (machines) => machines.add('default') });
    desktop.machines.change('default', { state: 'stopping' });
    await list.until((rows) => rows[0]?.state === 'stopping');
    desktop.machines.drop('default');
    await list.until((rows) => rows.length === 0);
  });

  it('tells nothing of keys and sockets that a page has no use for', async () => {
    await open({
      prepare: (machines) =>
        machines.add('default', {
          ssh: { host: '127.0.0.1', port: 22, user: 'root', identityFile: '/k', knownHostsFile: '/h' },
        }),
    });
    const row = await list.until((rows) => rows[0]);
    expect(Object.keys(row)).not.toContain('ssh');
    expect(JSON.stringify(row)).not.toContain('identityFile');
  });

  it('says why the machines cannot be read, and lists them when they can', async () => {
    await open({ prepare: (machines) => (machines.listError = new Error('no right to read the folder')) });
    await expect(list.until((rows) => rows[0])).rejects.toMatchObject({
      code: 'internal',
      message: 'no right to read the folder',
    });
    desktop.machines.listError = null;
    desktop.machines.add('default');
    list = new FollowedList(
      (signal) => desktop.client.machines.watch({}, { signal }),
      ({ name }) => name,
    );
    await list.until((rows) => rows[0]);
  });

  it('names the drivers and why one cannot be used', async () => {
    await open();
    const { drivers } = await desktop.client.machines.drivers();
    expect(drivers.map(({ name, unavailable }) => [name, unavailable])).toEqual([
      ['fake', null],
      ['absent', 'It is not there: install it.'],
    ]);
  });

  it('stops what it is doing when the desktop is closed', async () => {
    await open();
    desktop.machines.script = (_, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const made = desktop.client.machines.create(wanted, slow);
    await operation('running');
    await desktop.core[Symbol.asyncDispose]();
    await expect(made).rejects.toMatchObject({ code: 'aborted', message: 'Skiff was closed.' });
  });

  describe('console log', () => {
    let folder: string;
    afterEach(() => rm(folder, { recursive: true }));

    it('follows from its last bytes on, across a new boot', async () => {
      folder = await mkdtemp(join(tmpdir(), 'skiff-serial-'));
      const serialLogFile = join(folder, 'serial.log');
      await writeFile(serialLogFile, 'an old line\nthe last line\n');
      await open({ serialLogFile, prepare: (machines) => machines.add('default') });
      await list.until((rows) => rows[0]);
      const stop = new AbortController();
      let text = '';
      const reading = (async () => {
        const log = desktop.client.machines.log(
          { ...wanted, source: 'console', tailBytes: 14 },
          { signal: stop.signal },
        );
        for await (const piece of log) text += piece.text;
      })();
      await eventually(() => text).toBe('the last line\n');
      await appendFile(serialLogFile, 'more\n');
      await eventually(() => text).toBe('the last line\nmore\n');
      await writeFile(serialLogFile, 'boot\n');
      await eventually(() => text).toBe('the last line\nmore\nboot\n');
      stop.abort();
      await reading;
    });

    it('waits for the file, ends with the machine, and does not follow when it is not asked to', async () => {
      folder = await mkdtemp(join(tmpdir(), 'skiff-serial-'));
      const serialLogFile = join(folder, 'serial.log');
      await open({ serialLogFile, prepare: (machines) => machines.add('default') });
      await list.until((rows) => rows[0]);
      let text = '';
      const reading = (async () => {
        for await (const piece of desktop.client.machines.log({ ...wanted, source: 'console' })) text += piece.text;
      })();
      await desktop.client.app.info();
      await writeFile(serialLogFile, 'first\n');
      await eventually(() => text).toBe('first\n');
      const once: string[] = [];
      for await (const piece of desktop.client.machines.log({ ...wanted, source: 'console', follow: false }))
        once.push(piece.text);
      expect(once).toEqual(['first\n']);
      desktop.machines.drop('default');
      await reading;
    });
  });
});
