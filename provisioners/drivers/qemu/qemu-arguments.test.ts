import { describe, expect, it } from 'vitest';
import { bootProfiles } from '../../machine-image/boot-profile.ts';
import type { QemuBoot } from './qemu-arguments.ts';
import { qemuArguments } from './qemu-arguments.ts';

const boot: QemuBoot = {
  profile: bootProfiles.amd64,
  name: 'default',
  accelerator: { name: 'tcg', cpu: 'emulated' },
  cpus: 2,
  memoryBytes: 1536 * 1024 ** 2,
  image: {
    kernel: '/c/vmlinuz',
    initrd: '/c/initrd',
    systemDisk: '/c/system.erofs',
    commandLine: 'console=ttyS0 quiet',
  },
  dataDisk: { path: '/m/data.disk', format: 'raw' },
  seed: '/m/seed.disk',
  sshPort: 40022,
  serialLog: '/m/serial.log',
  pidFile: '/m/qemu.pid',
  qmpSocket: '/m/qmp.sock',
  takesShares: false,
  givesMemoryBack: true,
};

/** Values that follow an option, in order. */
const valuesOf = (args: readonly string[], option: string): string[] =>
  args.flatMap((arg, index) => (arg === option ? [args[index + 1] ?? ''] : []));

describe("QEMU's arguments", () => {
  it('emulate with the measured profile where nothing accelerates', () => {
    const args = qemuArguments(boot);
    expect(valuesOf(args, '-machine')).toEqual([bootProfiles.amd64.machine]);
    expect(valuesOf(args, '-accel')).toEqual([`tcg,${bootProfiles.amd64.emulation}`]);
    expect(valuesOf(args, '-cpu')).toEqual([bootProfiles.amd64.emulatedCpu]);
    expect(valuesOf(args, '-append')).toEqual([
      `console=ttyS0 quiet ${bootProfiles.amd64.emulatedCommandLine} skiff.prepare`,
    ]);
  });

  it('pass the processor through where something accelerates', () => {
    const args = qemuArguments({ ...boot, accelerator: { name: 'kvm', cpu: 'host,-arch-capabilities' } });
    expect(valuesOf(args, '-accel')).toEqual(['kvm']);
    expect(valuesOf(args, '-cpu')).toEqual(['host,-arch-capabilities']);
    expect(valuesOf(args, '-append')).toEqual(['console=ttyS0 quiet']);
  });

  it('let nothing in but SSH from this computer', () => {
    const args = qemuArguments(boot);
    expect(valuesOf(args, '-netdev')).toEqual(['user,id=net0,ipv6=off,hostfwd=tcp:127.0.0.1:40022-:22']);
    expect(args).toContain('-nodefaults');
    expect(args).toContain('-no-user-config');
    expect(args.join(' ')).not.toMatch(/vnc|spice|-monitor|telnet|0\.0\.0\.0/);
  });

  it('give the disks in the order in which the guest names them: system, data, seed', () => {
    const args = qemuArguments(boot);
    const nodes = valuesOf(args, '-blockdev').map((text): unknown => JSON.parse(text));
    expect(nodes).toMatchObject([
      { 'node-name': 'system', 'read-only': true, file: { filename: '/c/system.erofs' } },
      { 'node-name': 'data', 'read-only': false, driver: 'raw', discard: 'unmap', file: { filename: '/m/data.disk' } },
      { 'node-name': 'seed', 'read-only': true, file: { filename: '/m/seed.disk' } },
    ]);
    const drives = valuesOf(args, '-device').filter((device) => device.startsWith('virtio-blk'));
    expect(drives.map((device) => /drive=(\w+)/.exec(device)?.[1])).toEqual(['system', 'data', 'seed']);
    expect(drives.map((device) => device.includes('opt_io_size'))).toEqual([true, false, true]);
  });

  it('end QEMU when the guest reboots after a panic', () => {
    expect(qemuArguments(boot)).toContain('-no-reboot');
  });

  it('survive paths with commas, spaces and quotes', () => {
    const path = '/m/a, "b" c/data.disk';
    const args = qemuArguments({
      ...boot,
      dataDisk: { path, format: 'raw' },
      serialLog: '/m/a,b/serial.log',
      qmpSocket: '/m/a,b/qmp',
    });
    const nodes = valuesOf(args, '-blockdev').map((text) => JSON.parse(text) as { file: { filename: string } });
    expect(nodes[1]?.file.filename).toBe(path);
    expect(valuesOf(args, '-chardev')).toEqual([
      'file,id=serial0,path=/m/a,,b/serial.log',
      'stdio,id=serial1,signal=off',
      'socket,id=qmp0,path=/m/a,,b/qmp,server=on,wait=off',
    ]);
  });

  it('leave places for shared folders only where they are wanted, and memory that is shared with who answers for them', () => {
    const args = qemuArguments({ ...boot, takesShares: true });
    expect(valuesOf(args, '-machine')).toEqual([`${bootProfiles.amd64.machine},memory-backend=memory0`]);
    expect(valuesOf(args, '-object')).toContain('memory-backend-memfd,id=memory0,size=1536M,share=on');
    expect(valuesOf(args, '-device').filter((device) => device.startsWith('pcie-root-port'))).toHaveLength(4);
    expect(qemuArguments(boot).join(' ')).not.toMatch(/memfd|root-port/);
  });

  it.each([
    ['an accelerator is there', { accelerator: { name: 'kvm', cpu: 'host' } }],
    ['nobody could tell it to go on', { qmpSocket: null }],
    ['the machine type cannot tell it that it was continued', { profile: bootProfiles.arm64 }],
  ] as const)('do not have the guest stand still where %s', (_why, other) => {
    const wanted = /skiff\.prepare|vmgenid|serial1/;
    expect(qemuArguments(boot).join(' ')).toMatch(wanted);
    expect(qemuArguments({ ...boot, ...other }).join(' ')).not.toMatch(wanted);
  });

  it('have no control socket where none can be used', () => {
    expect(qemuArguments({ ...boot, qmpSocket: null }).join(' ')).not.toContain('qmp');
  });

  it('give memory in whole MiB and every core to one socket, one core alone where QEMU emulates with one thread', () => {
    const wanted = { ...boot, cpus: 3, memoryBytes: 2 * 1024 ** 3 + 5 };
    const args = qemuArguments({ ...wanted, accelerator: { name: 'kvm', cpu: 'host' } });
    expect(valuesOf(args, '-m')).toEqual(['2048M']);
    expect(valuesOf(args, '-smp')).toEqual(['3,sockets=1,cores=3,threads=1']);
    expect(valuesOf(qemuArguments(wanted), '-smp')).toEqual(['1,sockets=1,cores=1,threads=1']);
  });
});
