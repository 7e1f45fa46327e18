import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import type { Server } from 'node:net';
import { connect, createServer } from 'node:net';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { Need } from '../../test/skip.ts';
import { describeWith, skipBecause } from '../../test/skip.ts';
import { MachineError } from '../machines.ts';
import { describeFaults } from './driver-faults.suite.ts';
import { withMachine } from './driver.fixture.ts';
import type { DriverUnderTest } from './driver-under-test.ts';
import type { Access, Driver, DriverMachine, DriverRun, SshAccess, StopRun } from './driver.ts';

export type { DriverUnderTest } from './driver-under-test.ts';

/** What every driver must do, in the order of a machine's life; each test begins where the one before ended. */
export function describeDriver(options: {
  readonly title: string;
  readonly needs: readonly Need[];
  /** Called more than once: each time another driver, peer and machine. */
  readonly open: () => Promise<DriverUnderTest>;
  /** Boots take seconds of a processor: what can be shown without them is. */
  readonly boots?: 'quick' | 'slow';
  /** How many machines are made at once (default 20). */
  readonly crowd?: number;
}): void {
  describeWith(options.needs, options.title, () => {
    let test: DriverUnderTest;
    let driver: Driver;
    let machine: DriverMachine;
    const run: DriverRun = { tell: () => undefined, signal: new AbortController().signal };
    const stopRun = (): StopRun => ({ ...run, graceMs: 60_000, powerOff: test.powerOff });

    beforeAll(async () => {
      test = await options.open();
      ({ driver, machine } = test);
    });
    afterAll(() => test[Symbol.asyncDispose]());

    it('is available, and says so without changing anything', async () => {
      const before = await readdir(machine.paths.folder);
      expect(await driver.availability()).toBeNull();
      await driver.preCreateCheck(withMachine(machine, { image: null }), run);
      expect(await readdir(machine.paths.folder)).toEqual(before);
    });

    it('fills in settings that were not asked for, and refuses those that cannot be', () => {
      const { settings } = driver;
      const complete = settings.resolve(machine.settings);
      expect(settings.resolve({ ...complete })).toEqual(complete);
      const refused = expect.objectContaining({ code: 'invalid-setting' });
      expect(() => settings.resolve({ ...complete, 'no such setting': 1 })).toThrow(refused);
      for (const { key, kind, isRequired } of settings.fields) {
        const wrong = kind === 'integer' || kind === 'bytes' ? [-1, Number.NaN, 'many'] : [-1];
        for (const value of wrong) expect(() => settings.resolve({ ...complete, [key]: value })).toThrow(refused);
        if (isRequired) expect(() => settings.resolve({ ...complete, [key]: undefined })).toThrow(refused);
      }
    });

    it('knows nothing of a machine that was not made, and removes it all the same', async () => {
      expect(await driver.state(machine)).toBe('absent');
      expect(await driver.access(machine)).toBeNull();
      await driver.kill(machine, run);
      await driver.stop(machine, stopRun());
      await driver.remove(machine, run);
    });

    it('makes it stopped, also when it is asked twice', async () => {
      await driver.create(machine, run);
      await driver.create(machine, run);
      expect(await driver.state(machine)).toBe('stopped');
      expect(await driver.access(machine)).toBeNull();
    });

    it('does not start when it is told to end before', async () => {
      const signal = AbortSignal.abort(new MachineError('aborted', 'enough'));
      await expect(driver.start(machine, { ...run, signal })).rejects.toMatchObject({ code: 'aborted' });
      expect(await driver.state(machine)).toBe('stopped');
    });

    it('starts it until its sshd answers, and starts nothing that runs', async () => {
      await driver.start(machine, run);
      expect(await driver.state(machine)).toBe('running');
      const access = await driver.access(machine);
      if (access === null) throw new Error('it runs, and nobody knows where');
      if (access.kind === 'ssh') expect(await banner(access)).toMatch(/^SSH-2\.0-/);
      await driver.start(machine, run);
      expect(await driver.access(machine)).toEqual(access);
    });

    it('stands still and goes on where it was', async (context) => {
      const { pause } = driver;
      if (pause === undefined) return skipBecause(context, 'it cannot be paused');
      const before = await test.shell('cat /proc/sys/kernel/random/boot_id');
      await pause.pause(machine, run);
      await pause.pause(machine, run);
      expect(await driver.state(machine)).toBe('paused');
      expect(await driver.access(machine)).toBeNull();
      await pause.resume(machine, run);
      await pause.resume(machine, run);
      expect(await driver.state(machine)).toBe('running');
      await pause.pause(machine, run);
      await driver.start(machine, run);
      expect(await test.shell('cat /proc/sys/kernel/random/boot_id')).toBe(before);
    });

    it('is written to disk and goes on where it was', async (context) => {
      const { suspend } = driver;
      if (suspend === undefined) return skipBecause(context, 'it cannot be suspended');
      const before = await test.shell('cat /proc/sys/kernel/random/boot_id; echo kept >/run/kept');
      await suspend.suspend(machine, run);
      await suspend.suspend(machine, run);
      expect(await driver.state(machine)).toBe('suspended');
      expect(await driver.access(machine)).toBeNull();
      await driver.start(machine, run);
      expect(await driver.state(machine)).toBe('running');
      expect(await test.shell('cat /proc/sys/kernel/random/boot_id /run/kept')).toBe(`${before}kept\n`);
    });

    it('grows its disk while it runs, and says what waits for the next start', async (context) => {
      const { resize } = driver;
      if (resize === undefined) return skipBecause(context, 'it cannot be resized');
      const diskBytes = (machine.settings.diskBytes ?? 0) + 2 ** 30;
      const memoryBytes = (machine.settings.memoryBytes ?? 0) + 2 ** 27;
      const larger = withMachine(machine, { settings: { ...machine.settings, diskBytes, memoryBytes } });
      expect(await resize.resize(larger, run)).toEqual(['memoryBytes']);
      expect(await test.shell('cat /sys/block/vdb/size')).toBe(`${diskBytes / 512}\n`);
      await test.shell('sync');
    });

    it('keeps what its disk is while it is stopped, and not while it runs', async (context) => {
      const { snapshots } = driver;
      if (snapshots === undefined) return skipBecause(context, 'it has no snapshots');
      await driver.stop(machine, stopRun());
      await snapshots.take(machine, 'before', run);
      await expect(snapshots.take(machine, 'before', run)).rejects.toMatchObject({ code: 'name-taken' });
      expect(await snapshots.list(machine)).toMatchObject([{ name: 'before' }]);
      await driver.start(machine, run);
      await expect(snapshots.take(machine, 'now', run)).rejects.toMatchObject({ code: 'already-running' });
      await test.shell('echo later >/var/lib/skiff/later; sync');
    });

    it('notices that it crashed, and starts it again, also where its address is another then', async (context) => {
      if (test.crash === null) return skipBecause(context, 'nobody may end this host');
      const before = await driver.access(machine);
      await test.crash();
      expect(await driver.state(machine)).toBe('stopped');
      expect(await driver.access(machine)).toBeNull();
      // The next start takes as long as any: it shows what that disk is, too.
      await driver.snapshots?.restore(machine, 'before', run);
      await using _taken = await moveAddress(test, before);
      await driver.start(machine, run);
      expect(await driver.state(machine)).toBe('running');
      const after = await driver.access(machine);
      expect(after).not.toEqual(before);
      if (after?.kind === 'ssh') expect(await banner(after)).toMatch(/^SSH-2\.0-/);
    });

    it('has the disk that was kept', async (context) => {
      if (driver.snapshots === undefined || test.crash === null)
        return skipBecause(context, 'it has no snapshots, or was not started with one');
      expect(await test.shell('ls /var/lib/skiff/later 2>/dev/null; true')).toBe('');
    });

    it('shuts it down, also when it is asked twice', async () => {
      await driver.stop(machine, stopRun());
      expect(await driver.state(machine)).toBe('stopped');
      await driver.stop(machine, stopRun());
    });

    it('keeps no disk that was removed', async (context) => {
      const { snapshots } = driver;
      if (snapshots === undefined) return skipBecause(context, 'it has no snapshots');
      await snapshots.remove(machine, 'before', run);
      const none = { code: 'no-such-snapshot' };
      await expect(snapshots.restore(machine, 'before', run)).rejects.toMatchObject(none);
      await expect(snapshots.remove(machine, 'before', run)).rejects.toMatchObject(none);
      expect(await snapshots.list(machine)).toEqual([]);
    });

    it('removes it whole, also when it is asked twice', async () => {
      await driver.remove(machine, run);
      await driver.remove(machine, run);
      expect(await driver.access(machine)).toBeNull();
      expect((await test.peer?.left?.()) ?? []).toEqual([]);
    });

    describeFaults(options);
  });
}

/** Whoever else has the port of this computer by which the machine was reached; the peer's own way where there is one. */
async function moveAddress(test: DriverUnderTest, access: Access | null): Promise<AsyncDisposable> {
  const nothing = { [Symbol.asyncDispose]: () => Promise.resolve() };
  if (test.peer?.moveAddress !== undefined) {
    await test.peer.moveAddress();
    return nothing;
  }
  if (access?.kind !== 'ssh' || access.host !== '127.0.0.1')
    throw new Error('the peer must be able to move the address of its machine: moveAddress');
  // What the machine was may end some moments after its process.
  return await vi.waitFor(() => listenAt(access), { timeout: 30_000 });
}

async function listenAt({ host, port }: SshAccess): Promise<Server> {
  const server = createServer();
  await once(server.listen(port, host), 'listening');
  return server;
}

function banner(address: SshAccess): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address.host, port: address.port });
    socket.setTimeout(20_000, () => socket.destroy(new Error('no banner came')));
    socket.setEncoding('utf8').once('data', (text: string) => {
      socket.destroy();
      resolve(text);
    });
    socket.once('error', reject);
  });
}
