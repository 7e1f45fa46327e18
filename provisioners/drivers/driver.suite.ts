import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Need } from '../../test/skip.ts';
import { describeWith } from '../../test/skip.ts';
import { MachineError } from '../machines.ts';
import type { Driver, DriverMachine, DriverRun, SshAccess, StopRun } from './driver.ts';

/** What a driver's test gives to the suite: a driver, and a machine that does not exist yet. */
export interface DriverUnderTest extends AsyncDisposable {
  readonly driver: Driver;
  readonly machine: DriverMachine;
  /** Shuts the machine down from inside, for drivers that need it. */
  readonly powerOff: (signal: AbortSignal) => Promise<void>;
  /** Ends the machine behind the driver's back, as a crash does; null for a host that is not ours to end. */
  readonly crash: (() => Promise<void>) | null;
}

/** What every driver must do, in the order of a machine's life; each test begins where the one before ended. */
export function describeDriver(options: {
  readonly title: string;
  readonly needs: readonly Need[];
  readonly open: () => Promise<DriverUnderTest>;
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
      await driver.preCreateCheck(machine, run);
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

    it('notices that it crashed, and starts it again', async (context) => {
      if (test.crash === null) return context.skip('nobody may end this host');
      await test.crash();
      expect(await driver.state(machine)).toBe('stopped');
      expect(await driver.access(machine)).toBeNull();
      await driver.start(machine, run);
      expect(await driver.state(machine)).toBe('running');
    });

    it('shuts it down, also when it is asked twice', async () => {
      await driver.stop(machine, stopRun());
      expect(await driver.state(machine)).toBe('stopped');
      await driver.stop(machine, stopRun());
    });

    it('removes it whole, also when it is asked twice', async () => {
      await driver.remove(machine, run);
      await driver.remove(machine, run);
      expect(await driver.access(machine)).toBeNull();
    });
  });
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
