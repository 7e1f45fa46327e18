/** What vfkit is told, told to QEMU, which has the same hardware as Apple's framework: virtio alone, its console too. */
import { spawn } from 'node:child_process';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeWith } from '../../../test/skip.ts';
import { bootProfiles } from '../../machine-image/boot-profile.ts';
import { cacheFolder } from '../../machine-image/cache.ts';
import { ensureMachineImage } from '../../machine-image/machine-image.ts';
import { generateSshKeyPair } from '../../ssh/keys.ts';
import { parseMachineName } from '../../store/machine-name.ts';
import { toldAddress } from '../vm/guest-address.ts';
import { seedOf } from '../vm/guest-seed.ts';
import { provideRawDisk } from '../vm/raw-disk.ts';
import { awaitStage } from '../vm/serial.ts';
import { vfkitArguments } from './vfkit-arguments.ts';

const needs = ['linux', { program: 'qemu-system-x86_64' }, { program: 'mmdebstrap' }] as const;
const { emulatedCpu, emulation, emulatedCommandLine } = bootProfiles.amd64;

describeWith(needs, "the machine image on the hardware of Apple's framework", () => {
  let folder: string;
  const at = (name: string): string => join(folder, name);
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skiff-vfkit-boot-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('boots until its sshd is there, and tells its address on its console', { timeout: 600_000 }, async () => {
    const signal = AbortSignal.timeout(550_000);
    const wanted = { arch: 'amd64', cacheDir: cacheFolder(), source: { kind: 'build' } } as const;
    const image = await ensureMachineImage(wanted, { report: () => undefined, signal });
    await copyFile(image.systemDisk, at('system'));
    await provideRawDisk(at('data'), 2 * 1024 ** 3);
    const keys = { identity: generateSshKeyPair('user'), host: generateSshKeyPair('host') };
    await writeFile(at('seed'), seedOf({ name: parseMachineName('web'), keys }, { mode: 'dhcp' }), { mode: 0o600 });
    const boot = {
      image,
      cpus: 1,
      memoryBytes: 2 ** 30,
      disks: [],
      macAddress: '',
      shares: new Map<string, string>(),
      serialLog: '',
      controlSocket: '',
    };
    const commandLine = /cmdline="(.*)"/.exec(vfkitArguments(boot).join(' '))?.[1] ?? '';
    const disks = ['system', 'data', 'seed'].flatMap((name) => [
      ...['-drive', `if=none,id=${name},format=raw,file=${at(name)}`],
      ...['-device', `virtio-blk-pci,drive=${name}`],
    ]);
    const args = [
      ['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-m', '768M'],
      ['-machine', 'q35,vmport=off', '-accel', `tcg,${emulation}`, '-cpu', emulatedCpu],
      ['-kernel', image.kernel, '-initrd', image.initrd, '-append', `${commandLine} ${emulatedCommandLine}`],
      disks,
      ['-netdev', 'user,id=net0,ipv6=off', '-device', 'virtio-net-pci,netdev=net0,romfile='],
      ['-chardev', `file,id=console,path=${at('console')}`, '-device', 'virtio-serial-pci'],
      ['-device', 'virtconsole,chardev=console'],
    ].flat();
    const qemu = spawn('setpriv', ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...args], { stdio: 'inherit' });
    const ended = new Promise((resolve) => qemu.once('close', resolve));
    try {
      expect(await awaitStage(at('console'), { stage: 'sshd', timeoutMs: 240_000, signal })).toBe(true);
      expect(await toldAddress(at('console'))).toBe('10.0.2.15');
    } finally {
      qemu.kill('SIGKILL');
      await ended;
    }
  });
});
