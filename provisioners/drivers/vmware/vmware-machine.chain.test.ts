/** A machine of VMware as people make it: by the command line, from the image's bootable disk, with the engine deployed. QEMU plays the computer. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { emulatedFirmware } from '../../../test/peers/virtualbox/emulated-system.ts';
import type { PlayedVmware } from '../../../test/peers/vmware/played-vmware.ts';
import { openPlayedVmware } from '../../../test/peers/vmware/played-vmware.ts';
import { describeWith } from '../../../test/skip.ts';

const skiffProgram = fileURLToPath(new URL('../../../cli/main.ts', import.meta.url));
const needs = [
  'linux',
  // For port 22 of the machine's address.
  'root',
  { program: 'qemu-system-x86_64' },
  { program: 'mmdebstrap' },
  { file: emulatedFirmware },
] as const;

describeWith(needs, 'a machine of VMware that its firmware boots', () => {
  let home: string;
  let vmware: PlayedVmware;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'skiff-vmware-chain-'));
    vmware = await openPlayedVmware({ system: 'qemu', sshPort: 22 });
  });
  afterAll(async () => {
    await vmware[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });

  async function skiff(...args: readonly string[]): Promise<string> {
    const env = { ...vmware.environment, SKIFF_HOME: join(home, 'home'), DOCKER_CONFIG: join(home, 'docker') };
    const { stdout } = await promisify(execFile)(process.execPath, [skiffProgram, ...args], { env, timeout: 550_000 });
    return stdout;
  }

  it('is made, runs its engine, goes down and is removed', { timeout: 600_000 }, async () => {
    const settings = ['--cpus', '1', '--memory', '768m', '--disk', '4g', '--mount', 'none'];
    try {
      await skiff('machine', 'create', '--driver', 'vmware', ...settings, 'vm');
      expect(await skiff('--machine', 'vm', 'version')).toMatch(/Server[^]*linux/);
      // NVMe disks in whatever order they are found, and VMware's card.
      expect(await skiff('machine', 'ssh', 'vm', 'cat /proc/mounts; ls /sys/bus/pci/drivers')).toMatch(
        /^\/dev\/nvme0n\dp2 \/ erofs ro[^]*\/dev\/nvme0n\d \/var\/lib\/skiff ext4 rw[^]*vmxnet3/m,
      );
      await skiff('machine', 'stop', 'vm');
      expect(vmware.world.machines()).toEqual([]);
    } finally {
      await skiff('machine', 'rm', '--force', 'vm');
    }
    expect(vmware.world.machines()).toEqual([]);
    expect(await readdir(join(home, 'home', 'machines'))).toEqual([]);
  });
});
