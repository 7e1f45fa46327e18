import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { learnAccelerators, tellAccelerators } from '../../../test/chain/known-accelerators.ts';
import type { Need } from '../../../test/skip.ts';
import { describeWith, skipBecause } from '../../../test/skip.ts';
import { imageLayout } from '../../deploy/machine-layout.ts';
import { runScript } from '../../deploy/run-script.ts';
import { bootProfiles } from '../../machine-image/boot-profile.ts';
import { cacheFolder } from '../../machine-image/cache.ts';
import type { MachineImage } from '../../machine-image/machine-image.ts';
import { ensureMachineImage } from '../../machine-image/machine-image.ts';
import { openLine } from '../../machines/machine-keys.ts';
import { readIfThere } from '../../store/atomic-file.ts';
import { waitForEnd } from '../../store/process-identity.ts';
import { makeDriverMachine, withMachine } from '../driver.fixture.ts';
import type { DriverUnderTest } from '../driver.suite.ts';
import { describeDriver } from '../driver.suite.ts';
import { thisComputer } from '../vm/find-program.ts';
import { freeLocalPort } from '../vm/local-port.ts';
import { attemptBoot } from './boot-attempt.ts';
import type { QemuBoot } from './qemu-arguments.ts';
import { QemuDriver } from './qemu-driver.ts';
import { findQemuProcess } from './qemu-process.ts';
import { findQemu } from './qemu-program.ts';
import { readMemory } from './remembered.ts';

const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';

const findImage = (signal: AbortSignal): Promise<MachineImage> =>
  ensureMachineImage({ arch, cacheDir: cacheFolder(), source: { kind: 'build' } }, { report: () => undefined, signal });

async function open(knows: 'nothing' | 'accelerators' = 'nothing'): Promise<DriverUnderTest> {
  const signal = AbortSignal.timeout(550_000);
  const image = await findImage(signal);
  const made = await makeDriverMachine({
    open: (store) => new QemuDriver({ memoryFile: store.paths.qemuMemory }),
    // As large as those of other tests: starts are prepared once for each size.
    settings: { memoryBytes: 1024 ** 3, diskBytes: 4 * 1024 ** 3 },
    image,
  });
  const { driver, machine, store } = made;
  const home = dirname(store.paths.qemuMemory);
  if (knows === 'accelerators') await learnAccelerators(home);
  const { paths, keys } = machine;
  const shell = async (command: string): Promise<string> => {
    const access = await driver.access(machine);
    if (access === null) throw new Error('it does not run');
    await using line = await openLine(access, { keys, signal, deadlineMs: 20_000 });
    return await line.check(command, { signal });
  };
  return {
    driver,
    machine,
    shell,
    powerOff: async () => void (await shell('poweroff')),
    crash: async () => {
      const found = await findQemuProcess(paths);
      if (found === null) throw new Error('no QEMU runs');
      process.kill(found.pid, 'SIGKILL');
      expect(await waitForEnd(found, { timeoutMs: 10_000 })).toBe(true);
    },
    async [Symbol.asyncDispose]() {
      await driver.remove(machine, { tell: () => undefined, signal: new AbortController().signal });
      expect(await findQemuProcess(paths)).toBeNull();
      // What this computer can accelerate was found out once and is kept for all machines.
      const known = await readIfThere(store.paths.qemuMemory);
      if (known !== null) expect(known).toContain('"chosen"');
      await tellAccelerators(home);
      await made[Symbol.asyncDispose]();
    },
  };
}

const needs: readonly Need[] = [{ program: 'qemu-system-x86_64' }, { program: 'mmdebstrap' }];

describeDriver({
  title: 'the QEMU driver',
  needs,
  boots: 'slow',
  open: () => open(),
});

/** In the place of an engine: tells what it was started as, and what it took for a random number. */
const toldFile = '/run/skiff/told';
const playedEngine = `
const told = { random: require('node:crypto').randomBytes(16).toString('hex'), release: process.env.SKIFF_RELEASE, args: process.argv.slice(2) };
require('node:fs').writeFileSync('${toldFile}.new', JSON.stringify(told));
require('node:fs').renameSync('${toldFile}.new', '${toldFile}');
setInterval(() => undefined, 60_000);
`;
const told = z.object({ random: z.string(), release: z.string(), args: z.array(z.string()) });

describeWith(needs, 'a prepared start of QEMU', () => {
  it('goes on as this machine, now, with random numbers of its own', { timeout: 300_000 }, async (context) => {
    await using test = await open('accelerators');
    const { driver, shell } = test;
    const run = { tell: () => undefined, signal: AbortSignal.timeout(290_000) };
    let how = '';
    const machine = withMachine(test.machine, {
      remember: (memory, facts) => {
        how = facts?.['last boot'] ?? how;
        return test.machine.remember(memory, facts);
      },
    });
    const release = `${imageLayout.deployFolder}/releases/played`;
    const node = `${imageLayout.systemRuntime}/bin/node`;
    await driver.start(machine, run);
    if (readMemory(machine.memory).lastBoot?.accelerator.name !== 'tcg')
      skipBecause(context, 'starts are prepared under emulation alone');
    const files = { run: runScript({ layout: imageLayout, node, group: null }), 'skiffd.js': playedEngine };
    await shell(`mkdir -p ${release} && ln -sfn releases/played ${imageLayout.deployFolder}/current`);
    for (const [name, text] of Object.entries(files))
      await shell(`echo ${Buffer.from(text).toString('base64')} | base64 -d >${release}/${name}`);
    await shell(`chmod 0755 ${release}/run && sync`);

    const seen: string[] = [];
    for (let start = 0; start < 2; start++) {
      await driver.kill(machine, run);
      await driver.start(machine, run);
      expect(how).toContain('from prepared memory');
      const seconds = Date.now() / 1000;
      const [date, bootId, name, outside, process] = (
        await shell(
          `until [ -e ${toldFile} ]; do usleep 100000; done; date +%s; cat /proc/sys/kernel/random/boot_id /proc/sys/kernel/hostname; ` +
            `tr '\\0' '\\n' </proc/$(cat /run/skiff/engine.pid)/environ | grep ^SKIFF_RELEASE; cat ${toldFile}`,
        )
      ).split('\n');
      expect(Math.abs(Number(date) - seconds)).toBeLessThan(30);
      expect([name, outside]).toEqual([machine.name, `SKIFF_RELEASE=${release}`]);
      const engine = told.parse(JSON.parse(process ?? ''));
      expect(engine).toMatchObject({ release, args: expect.arrayContaining(['--data-root', imageLayout.dataRoot]) });
      seen.push(bootId ?? '', engine.random);
    }
    expect(new Set(seen).size).toBe(4);

    // The one that waited is good for one start; the next is an ordinary one.
    const first = await shell('cat /run/skiff/engine.pid');
    await shell(`rm ${toldFile}; kill ${first.trim()}; until [ -e ${toldFile} ]; do usleep 100000; done`);
    expect(await shell('tr "\\0" " " </proc/$(cat /run/skiff/engine.pid)/cmdline')).toContain(`${node} `);
    expect(await shell('cat /run/skiff/engine.pid')).not.toBe(first);
  });

  it('of memory that QEMU cannot read removes it and leaves nothing running', async () => {
    await using test = await open();
    const { paths } = test.machine;
    const run = { tell: () => undefined, signal: AbortSignal.timeout(60_000) };
    const { kernel, initrd, systemDisk, commandLine } = await findImage(run.signal);
    const prepared = { file: join(paths.folder, 'prepared'), isThere: true };
    await writeFile(prepared.file, 'not the memory of a machine');
    const boot: QemuBoot = {
      profile: bootProfiles[arch],
      name: 'suite',
      accelerator: { name: 'tcg', cpu: 'emulated' },
      cpus: 1,
      memoryBytes: 1024 ** 3,
      image: { kernel, initrd, systemDisk, commandLine },
      dataDisk: { path: systemDisk, format: 'raw' },
      seed: systemDisk,
      sshPort: await freeLocalPort(null),
      takesShares: false,
      givesMemoryBack: false,
      serialLog: paths.serialLog,
      pidFile: paths.pidFile,
      qmpSocket: paths.qmpSocket,
    };
    const program = (await findQemu(thisComputer()))?.path ?? '';
    const patience = { firstSignMs: 30_000, nextStageMs: 30_000 };
    expect(await attemptBoot({ program, boot, paths, patience, run, prepared })).toMatchObject({
      kind: 'not-continued',
    });
    expect(await readIfThere(prepared.file)).toBeNull();
    expect(await findQemuProcess(paths)).toBeNull();
  });
});

describe('the QEMU driver without QEMU', () => {
  it('says what to install', async () => {
    const computer = { platform: 'freebsd', arch: 'x64', environment: { PATH: '/nowhere' } } as const;
    const driver = new QemuDriver({ memoryFile: '/nowhere/qemu.json', computer });
    expect(await driver.availability()).toContain('apt-get install qemu-system-x86');
  });

  it('says for which processors there is no image', async () => {
    const computer = { platform: 'linux', arch: 'riscv64', environment: {} } as const;
    expect(await new QemuDriver({ memoryFile: '/nowhere/qemu.json', computer }).availability()).toContain('riscv64');
  });
});
