/** The machine image as WSL2 runs it, with an engine deployed into it: its real files and its own start, in namespaces as WSL makes them. */
import { expect, it } from 'vitest';
import { openPlayedWsl2 } from '../../../test/peers/wsl2/played-wsl2.ts';
import { describeWith } from '../../../test/skip.ts';
import { deployEngine } from '../../deploy/deploy-engine.ts';
import { imageLayout } from '../../deploy/machine-layout.ts';
import { cacheFolder } from '../../machine-image/cache.ts';
import { ensureMachineImage } from '../../machine-image/machine-image.ts';
import { openRelease, ownCheckout } from '../../machines/engine-source.ts';
import { openLine } from '../../machines/machine-keys.ts';
import type { Line } from '../../line/line.ts';
import { makeDriverMachine } from '../driver.fixture.ts';
import type { DriverRun } from '../driver.ts';
import { Wsl2Driver } from './wsl2-driver.ts';

const needs = ['linux', 'root', { program: 'mmdebstrap' }, { program: 'busybox' }] as const;

describeWith(needs, "a machine in WSL2's manner", () => {
  it('lets us in with its own key, runs an engine, and keeps it over a stop', { timeout: 600_000 }, async () => {
    const signal = AbortSignal.timeout(550_000);
    const run: DriverRun = { tell: () => undefined, signal };
    const cacheDir = cacheFolder();
    const image = await ensureMachineImage(
      { arch: 'amd64', cacheDir, source: { kind: 'build' } },
      { report: () => undefined, signal },
    );
    await using wsl2 = await openPlayedWsl2({ system: 'real' });
    const driver = new Wsl2Driver({ computer: wsl2.computer });
    await using made = await makeDriverMachine({ open: () => driver, settings: {}, image });
    const { machine } = made;
    const enter = async (): Promise<Line & AsyncDisposable> => {
      const access = await driver.access(machine);
      if (access === null) throw new Error('it does not run');
      return await openLine(access, { keys: machine.keys, signal, deadlineMs: 60_000 });
    };
    const ask = `require('http').get({ socketPath: '/run/docker.sock', path: '/info' }, (answer) => answer.pipe(process.stdout))`;
    const askEngine = (line: Line): Promise<string> => line.check(`node -e "${ask}"`, { signal });
    try {
      await driver.create(machine, run);
      await driver.start(machine, run);
      {
        await using line = await enter();
        const release = await openRelease(ownCheckout(), { cacheDir, arch: 'x64' });
        const deployed = await deployEngine({ ...run, line, layout: imageLayout, release, node: null });
        expect(deployed.isNew).toBe(true);
        expect(JSON.parse(await askEngine(line))).toMatchObject({ OSType: 'linux', Containers: 0 });
        // 22 may be another distribution's.
        const listening = await line.check("ss -Hltn | awk '{ print $4 }'", { signal });
        expect(listening.trim()).toMatch(/^127\.0\.0\.1:\d{4,5}$/);
      }
      await driver.stop(machine, {
        ...run,
        graceMs: 60_000,
        powerOff: () => Promise.reject(new Error('it is not told')),
      });
      expect(await driver.state(machine)).toBe('stopped');
      await driver.start(machine, run);
      await using line = await enter();
      await expect.poll(() => askEngine(line).catch(() => ''), { timeout: 60_000 }).toContain('OSType');
    } finally {
      await driver.remove(machine, run);
    }
    expect(wsl2.host.all()).toEqual([]);
  });
});
