import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Need } from '../../test/skip.ts';
import { describeWith } from '../../test/skip.ts';
import { MachineError } from '../machines.ts';
import type { Driver, DriverMachine, DriverRun, StopRun } from './driver.ts';

/** What a driver's test gives to the suite: a driver, and a machine that does not exist yet. */
export interface DriverUnderTest extends AsyncDisposable {
  readonly driver: Driver;
  readonly machine: DriverMachine;
  /** Shuts the machine down from inside, for drivers that need it. */
  readonly powerOff: (signal: AbortSignal) => Promise<void>;
  /** Ends the machine behind the driver's back, as a crash does. */
  readonly crash: () => Promise<void>;
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
      const settings = driver.resolveSettings({});
      expect(Object.values(settings).every((value) => value > 0)).toBe(true);
      expect(driver.resolveSettings(settings)).toEqual(settings);
      for (const name of driver.capabilities.settings) {
        const refused = { code: 'invalid-setting' };
        expect(() => driver.resolveSettings({ [name]: -1 })).toThrow(expect.objectContaining(refused));
        expect(() => driver.resolveSettings({ [name]: Number.NaN })).toThrow(expect.objectContaining(refused));
      }
    });

    it('knows nothing of a machine that was not made, and removes it all the same', async () => {
      expect(await driver.state(machine)).toBe('absent');
      expect(await driver.address(machine)).toBeNull();
      await driver.kill(machine, run);
      await driver.stop(machine, stopRun());
      await driver.remove(machine, run);
    });

    it('makes it stopped, also when it is asked twice', async () => {
      await driver.create(machine, run);
      await driver.create(machine, run);
      expect(await driver.state(machine)).toBe('stopped');
      expect(await driver.address(machine)).toBeNull();
    });

    it('does not start when it is told to end before', async () => {
      const signal = AbortSignal.abort(new MachineError('aborted', 'enough'));
      await expect(driver.start(machine, { ...run, signal })).rejects.toMatchObject({ code: 'aborted' });
      expect(await driver.state(machine)).toBe('stopped');
    });

    it('starts it until its sshd answers, and starts nothing that runs', async () => {
      await driver.start(machine, run);
      expect(await driver.state(machine)).toBe('running');
      const address = await driver.address(machine);
      if (address === null) throw new Error('it runs without an address');
      expect(await banner(address)).toMatch(/^SSH-2\.0-/);
      await driver.start(machine, run);
      expect(await driver.address(machine)).toEqual(address);
    });

    it('notices that it crashed, and starts it again', async () => {
      await test.crash();
      expect(await driver.state(machine)).toBe('stopped');
      expect(await driver.address(machine)).toBeNull();
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
      expect(await driver.address(machine)).toBeNull();
    });
  });
}

function banner(address: { readonly host: string; readonly port: number }): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(address);
    socket.setTimeout(20_000, () => socket.destroy(new Error('no banner came')));
    socket.setEncoding('utf8').once('data', (text: string) => {
      socket.destroy();
      resolve(text);
    });
    socket.once('error', reject);
  });
}
