/** The machine image as VirtualBox boots it: by firmware, from its bootable disk, on the hardware that VirtualBox gives. QEMU plays the computer. */
import { expect, it } from 'vitest';
import { playedNeeds } from '../../../test/peers/played-command.ts';
import { emulatedFirmware } from '../../../test/peers/virtualbox/emulated-system.ts';
import { openPlayedVirtualbox } from '../../../test/peers/virtualbox/played-virtualbox.ts';
import { describeWith } from '../../../test/skip.ts';
import { bootOnce } from '../boot-once.fixture.ts';
import { VirtualboxDriver } from './virtualbox-driver.ts';

const needs = [
  { program: 'qemu-system-x86_64' },
  { program: 'mmdebstrap' },
  { file: emulatedFirmware },
  playedNeeds,
] as const;

describeWith(needs, 'a machine of VirtualBox that its firmware boots', () => {
  it('finds its disks in any order, and goes down by its power button', { timeout: 600_000 }, async () => {
    await using vbox = await openPlayedVirtualbox({ system: 'qemu' });
    const { environment, register } = vbox;
    const driver = new VirtualboxDriver({ computer: { platform: 'linux', arch: 'x64', environment } });
    const seen = await bootOnce(driver, { ask: 'cat /dev/skiff-disks /proc/mounts', goesDownBy: 'button' });
    // Its kernel names them as they answer, in another order each time.
    expect(seen).toMatch(
      /^data_disk=(sd[abc]) seed_disk=(sd[abc])\n[^]*\/dev\/(?!\1|\2)sd[abc]2 \/ erofs ro[^]*\/dev\/\1 \/var\/lib\/skiff ext4 rw/,
    );
    expect([...register.machines(), ...register.media()]).toEqual([]);
  });
});
