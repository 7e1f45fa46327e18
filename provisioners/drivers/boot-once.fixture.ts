import { expect } from 'vitest';
import type { Line } from '../line/line.ts';
import { cacheFolder } from '../machine-image/cache.ts';
import { ensureMachineImage } from '../machine-image/machine-image.ts';
import { openLine } from '../machines/machine-keys.ts';
import { makeDriverMachine } from './driver.fixture.ts';
import type { Driver, DriverRun } from './driver.ts';

/** One boot of the real machine image on the hardware that a driver gives it; what the machine answers to `ask`. */
export async function bootOnce(
  driver: Driver,
  options: { readonly ask: string; readonly goesDownBy: 'button' | 'ssh' },
): Promise<string> {
  const signal = AbortSignal.timeout(550_000);
  const run: DriverRun = { tell: () => undefined, signal };
  const image = await ensureMachineImage(
    { arch: 'amd64', cacheDir: cacheFolder(), source: { kind: 'build' } },
    { report: () => undefined, signal },
  );
  await using made = await makeDriverMachine({
    open: () => driver,
    settings: { cpus: 1, memoryBytes: 768 * 2 ** 20, diskBytes: 4 * 2 ** 30, shares: [] },
    image,
  });
  const { machine } = made;
  const enter = async (): Promise<Line & AsyncDisposable> => {
    const access = await driver.access(machine);
    if (access === null) throw new Error('it does not run');
    return await openLine(access, { keys: machine.keys, signal, deadlineMs: 60_000 });
  };
  try {
    await driver.create(machine, run);
    await driver.start(machine, run);
    await using line = await enter();
    const seen = await line.check(options.ask, { signal });
    const powerOff = async (): Promise<void> => {
      if (options.goesDownBy === 'button') throw new Error('its button is heard');
      await line.run('poweroff', { signal, timeoutMs: 10_000 });
    };
    await driver.stop(machine, { ...run, graceMs: 60_000, powerOff });
    expect(await driver.state(machine)).toBe('stopped');
    return seen;
  } finally {
    await driver.remove(machine, run);
  }
}
