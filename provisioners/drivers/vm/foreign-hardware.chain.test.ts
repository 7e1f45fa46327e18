/** The machine image on what other hypervisors give to it, as far as QEMU has the same: what is played elsewhere boots here for real. */
import { spawn } from 'node:child_process';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { emulatedFirmware } from '../../../test/peers/virtualbox/emulated-system.ts';
import { describeWith } from '../../../test/skip.ts';
import { bootProfiles } from '../../machine-image/boot-profile.ts';
import { cacheFolder } from '../../machine-image/cache.ts';
import { ensureMachineImage } from '../../machine-image/machine-image.ts';
import { generateSshKeyPair } from '../../ssh/keys.ts';
import { parseMachineName } from '../../store/machine-name.ts';
import type { BootImage, DriverRun } from '../driver.ts';
import { vfkitArguments } from '../vfkit/vfkit-arguments.ts';
import { toldAddress } from './guest-address.ts';
import { seedOf, toWholeMebibytes } from './guest-seed.ts';
import { provideRawDisk } from './raw-disk.ts';
import { awaitStage } from './serial.ts';

const needs = [
  'linux',
  { program: 'qemu-system-x86_64' },
  { program: 'mmdebstrap' },
  { file: emulatedFirmware },
] as const;
const run: DriverRun = { tell: () => undefined, signal: AbortSignal.timeout(550_000) };
const { emulatedCpu, emulation, emulatedCommandLine } = bootProfiles.amd64;

describeWith(needs, 'the machine image tells its address on its console', () => {
  let folder: string;
  let image: BootImage;
  let ends: AbortController;
  const at = (name: string): string => join(folder, name);

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skiff-hardware-'));
    ends = new AbortController();
    const wanted = { arch: 'amd64', cacheDir: cacheFolder(), source: { kind: 'build' } } as const;
    image = await ensureMachineImage(wanted, { report: () => undefined, signal: run.signal });
    await provideRawDisk(at('data'), 2 * 1024 ** 3);
    const keys = { identity: generateSshKeyPair('user'), host: generateSshKeyPair('host') };
    const seed = seedOf({ name: parseMachineName('web'), keys }, { mode: 'dhcp' });
    await writeFile(at('seed'), toWholeMebibytes(seed), { mode: 0o600 });
  }, 600_000);
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** Boots it until somebody could log in; the address that it told. */
  async function addressOn(hardware: readonly (readonly string[])[]): Promise<string | null> {
    const usual = ['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-m', '768M'];
    const emulated = ['-machine', 'q35,vmport=off', '-accel', `tcg,${emulation}`, '-cpu', emulatedCpu];
    const console = ['-chardev', `file,id=console,path=${at('console')}`];
    const args = [...usual, ...emulated, ...console, ...hardware.flat()];
    const qemu = spawn('qemu-system-x86_64', args, { stdio: 'inherit', signal: ends.signal, killSignal: 'SIGKILL' });
    const ended = new Promise((resolve) => qemu.once('close', resolve));
    qemu.once('error', () => undefined);
    try {
      const wanted = { stage: 'sshd', timeoutMs: 240_000, signal: run.signal };
      expect(await awaitStage(at('console'), wanted)).toBe(true);
      return await toldAddress(at('console'));
    } finally {
      ends.abort();
      await ended;
    }
  }

  const drive = (id: string, path: string): string[] => ['-drive', `if=none,id=${id},format=raw,file=${path}`];
  const nat = (card: string): string[] => [
    '-netdev',
    'user,id=net0,ipv6=off',
    '-device',
    `${card},netdev=net0,romfile=`,
  ];

  it(
    "by Apple's framework: kernel and command line of vfkit, virtio's console, a virtio card",
    { timeout: 600_000 },
    async () => {
      const boot = {
        image,
        cpus: 1,
        memoryBytes: 2 ** 30,
        disks: [],
        macAddress: '',
        serialLog: '',
        controlSocket: '',
      };
      const commandLine = /cmdline="(.*)"/.exec(vfkitArguments(boot).join(' '))?.[1] ?? '';
      await copyFile(image.systemDisk, at('system'));
      const disks = ['system', 'data', 'seed'].flatMap((name) => [
        ...drive(name, at(name)),
        ...['-device', `virtio-blk-pci,drive=${name}`],
      ]);
      const direct = [
        '-kernel',
        image.kernel,
        '-initrd',
        image.initrd,
        '-append',
        `${commandLine} ${emulatedCommandLine}`,
      ];
      const console = ['-device', 'virtio-serial-pci', '-device', 'virtconsole,chardev=console'];
      expect(await addressOn([direct, disks, console, nat('virtio-net-pci')])).toBe('10.0.2.15');
    },
  );

  it('by VMware: EFI firmware, NVMe disks, a vmxnet3 card, a serial port', { timeout: 600_000 }, async () => {
    await copyFile(await image.bootableDisk('raw', run), at('system'));
    const words = `io.systemd.stub.kernel-cmdline-extra=${emulatedCommandLine.replaceAll(',', ',,')}`;
    const disks = ['system', 'data', 'seed'].flatMap((name, index) => [
      ...drive(name, at(name)),
      ...['-device', `nvme-ns,drive=${name},bus=nvme0,nsid=${index + 1}`],
    ]);
    const firmware = ['-bios', emulatedFirmware, '-smbios', `type=11,value=${words}`];
    const bus = ['-device', 'nvme,serial=nvme0,id=nvme0'];
    const console = ['-serial', 'chardev:console'];
    expect(await addressOn([firmware, bus, disks, console, nat('vmxnet3')])).toBe('10.0.2.15');
  });
});
