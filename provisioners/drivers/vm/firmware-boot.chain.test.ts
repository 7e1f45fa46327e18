/** The bootable disk, as VirtualBox boots it: EFI firmware, an AHCI controller, no serial stage that anybody waits for. QEMU plays the computer. */
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeWith } from '../../../test/skip.ts';
import { bootProfiles } from '../../machine-image/boot-profile.ts';
import { cacheFolder } from '../../machine-image/cache.ts';
import { ensureMachineImage } from '../../machine-image/machine-image.ts';
import { openLine } from '../../machines/machine-keys.ts';
import { isAlive } from '../../store/process-identity.ts';
import { makeDriverMachine } from '../driver.fixture.ts';
import { VirtualboxDriver } from '../virtualbox/virtualbox-driver.ts';
import { awaitSsh } from './await-ssh.ts';
import { seedOf, toWholeMebibytes } from './guest-seed.ts';
import { freeLocalPort } from './local-port.ts';
import { endVmProcess, startVmProcess } from './vm-process.ts';

const program = 'qemu-system-x86_64';
const firmware = '/usr/share/ovmf/OVMF.fd';
const network = { mode: 'static', address: '10.0.2.15/24', gateway: '10.0.2.2', nameservers: ['10.0.2.3'] } as const;

describeWith([{ program }, { program: 'mmdebstrap' }, { file: firmware }], 'the disk that firmware boots', () => {
  it('finds data and seed on whatever disk they are, and lets us in', { timeout: 600_000 }, async () => {
    const signal = AbortSignal.timeout(550_000);
    const image = await ensureMachineImage(
      { arch: 'amd64', cacheDir: cacheFolder(), source: { kind: 'build' } },
      { report: () => undefined, signal },
    );
    await using made = await makeDriverMachine({ open: () => new VirtualboxDriver(), settings: {} });
    const { machine } = made;
    const { folder, pidFile, processFile, serialLog, seed } = machine.paths;
    const data = join(folder, 'data.disk');
    await writeFile(data, '');
    await truncate(data, 2 * 1024 ** 3);
    await writeFile(seed, toWholeMebibytes(seedOf(machine, network)));
    const port = await freeLocalPort(null);
    const vm = await startVmProcess({
      program,
      arguments: firmwareBoot({
        disks: [data, seed, await image.bootableDisk('raw', { tell: () => undefined, signal })],
        serialLog,
        pidFile,
        port,
      }),
      files: {
        title: 'QEMU',
        folder,
        pidFile,
        processFile,
        logFile: join(folder, 'qemu.log'),
        mark: pidFile,
        socket: null,
      },
    });
    try {
      const address = { host: '127.0.0.1', port };
      const outcome = await awaitSsh({
        address: () => Promise.resolve(address),
        serialLog,
        isRunning: () => isAlive(vm.identity),
        timeoutMs: 300_000,
        signal,
      });
      expect(outcome).toEqual({ kind: 'up' });
      const access = { kind: 'ssh', ...address, user: 'root', hostKey: null, jumps: [] } as const;
      await using line = await openLine(access, { keys: machine.keys, signal, deadlineMs: 60_000 });
      expect(await line.check('cat /dev/skiff-disks /proc/mounts', { signal })).toMatch(
        /^data_disk=sda seed_disk=sdb\n(.*\n)*\/dev\/sdc2 \/ erofs ro.*\n(.*\n)*\/dev\/sda \/var\/lib\/skiff ext4 rw/,
      );
    } finally {
      await endVmProcess(vm.identity);
    }
  });
});

/** What QEMU emulates slowly or wrongly is left out by the words that its own driver gives to the kernel (systemd-stub(7) takes them from SMBIOS). */
function firmwareBoot(boot: {
  readonly disks: readonly string[];
  readonly serialLog: string;
  readonly pidFile: string;
  readonly port: number;
}): string[] {
  const { emulatedCpu, emulation, emulatedCommandLine } = bootProfiles.amd64;
  return [
    ['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ['-machine', 'q35,vmport=off', '-accel', `tcg,${emulation}`, '-cpu', emulatedCpu, '-m', '768M'],
    ['-bios', firmware],
    ['-smbios', `type=11,value=io.systemd.stub.kernel-cmdline-extra=${emulatedCommandLine.replaceAll(',', ',,')}`],
    // Nothing is written to the system's file: it is the same for all machines.
    ...boot.disks.flatMap((path, index) => [
      ['-drive', `if=none,id=disk${index},format=raw,file=${path},snapshot=on`],
      ['-device', `ide-hd,drive=disk${index},bus=ide.${index}`],
    ]),
    ['-netdev', `user,id=net0,ipv6=off,hostfwd=tcp:127.0.0.1:${boot.port}-:22`],
    ['-device', 'virtio-net-pci,netdev=net0,romfile='],
    ['-chardev', `file,id=serial0,path=${boot.serialLog}`, '-serial', 'chardev:serial0'],
    ['-pidfile', boot.pidFile],
  ].flat();
}
