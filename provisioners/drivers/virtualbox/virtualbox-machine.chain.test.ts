/** A machine of VirtualBox as people make it: by the command line, from the image's bootable disk, with the engine deployed. QEMU plays the computer. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { emulatedFirmware } from '../../../test/peers/virtualbox/emulated-system.ts';
import type { PlayedVirtualbox } from '../../../test/peers/virtualbox/played-virtualbox.ts';
import { openPlayedVirtualbox } from '../../../test/peers/virtualbox/played-virtualbox.ts';
import { describeWith } from '../../../test/skip.ts';

const skiffProgram = fileURLToPath(new URL('../../../cli/main.ts', import.meta.url));
const needs = [{ program: 'qemu-system-x86_64' }, { program: 'mmdebstrap' }, { file: emulatedFirmware }] as const;

describeWith(needs, 'a machine of VirtualBox that its firmware boots', () => {
  let home: string;
  let vbox: PlayedVirtualbox;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'skiff-vbox-chain-'));
    vbox = await openPlayedVirtualbox({ system: 'qemu' });
  });
  afterAll(async () => {
    await vbox[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });

  async function skiff(...args: readonly string[]): Promise<string> {
    const env = { ...vbox.environment, SKIFF_HOME: join(home, 'home'), DOCKER_CONFIG: join(home, 'docker') };
    const { stdout } = await promisify(execFile)(process.execPath, [skiffProgram, ...args], { env, timeout: 550_000 });
    return stdout;
  }

  it('is made, runs its engine, goes down by its power button and is removed', { timeout: 600_000 }, async () => {
    const size = ['--cpus', '1', '--memory', '768m', '--disk', '4g'];
    try {
      await skiff('machine', 'create', '--driver', 'virtualbox', ...size, 'vb');
      expect(await skiff('--machine', 'vb', 'version')).toMatch(/Server[^]*linux/);
      // The played computer has them in an order that VirtualBox would not give.
      expect(await skiff('machine', 'ssh', 'vb', 'cat /dev/skiff-disks /proc/mounts')).toMatch(
        /^data_disk=sdb seed_disk=sda\n[^]*\/dev\/sdc2 \/ erofs ro[^]*\/dev\/sdb \/var\/lib\/skiff ext4 rw/,
      );
      await skiff('machine', 'stop', 'vb');
      expect(vbox.register.machines().map(({ state }) => state)).toEqual(['poweroff']);
    } finally {
      await skiff('machine', 'rm', '--force', 'vb');
    }
    expect(vbox.register.machines()).toEqual([]);
    expect(vbox.register.media()).toEqual([]);
    expect(await readdir(join(home, 'home', 'machines'))).toEqual([]);
  });
});
