/** The machine image as VMware boots it: by firmware, from its bootable disk, on the hardware that VMware gives. QEMU plays the computer. */
import { expect, it } from 'vitest';
import { playedNeeds } from '../../../test/peers/played-command.ts';
import { emulatedFirmware } from '../../../test/peers/virtualbox/emulated-system.ts';
import { openPlayedVmware } from '../../../test/peers/vmware/played-vmware.ts';
import { describeWith } from '../../../test/skip.ts';
import { bootOnce } from '../boot-once.fixture.ts';
import { VmwareDriver } from './vmware-driver.ts';

const needs = [
  'linux',
  { program: 'qemu-system-x86_64' },
  { program: 'mmdebstrap' },
  { file: emulatedFirmware },
  playedNeeds,
] as const;

describeWith(needs, 'a machine of VMware that its firmware boots', () => {
  it('finds its disks and its card, and goes down', { timeout: 600_000 }, async () => {
    await using vmware = await openPlayedVmware({ system: 'qemu' });
    const { environment, sshPort, world } = vmware;
    const driver = new VmwareDriver({ computer: { platform: 'linux', arch: 'x64', environment }, sshPort });
    const seen = await bootOnce(driver, { ask: 'cat /proc/mounts; ls /sys/bus/pci/drivers', goesDownBy: 'ssh' });
    // NVMe disks in whatever order they are found, and VMware's card.
    expect(seen).toMatch(/^\/dev\/nvme0n\dp2 \/ erofs ro[^]*\/dev\/nvme0n\d \/var\/lib\/skiff ext4 rw[^]*vmxnet3/m);
    expect(world.machines()).toEqual([]);
  });
});
