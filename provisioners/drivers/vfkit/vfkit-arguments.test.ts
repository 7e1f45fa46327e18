import { expect, it } from 'vitest';
import type { VfkitBoot } from './vfkit-arguments.ts';
import { macAddressOf, vfkitArguments } from './vfkit-arguments.ts';

const boot: VfkitBoot = {
  cpus: 2,
  memoryBytes: 2 * 1024 ** 3,
  image: { kernel: '/i/kernel', initrd: '/i/initrd', commandLine: 'console=ttyAMA0 quiet lsm=landlock,yama,bpf' },
  disks: ['/m/system.disk', '/m/data.disk', '/m/seed.disk'],
  macAddress: '02:00:00:00:00:01',
  shares: new Map(),
  serialLog: '/m/serial.log',
  controlSocket: '/m a/vfkit.sock',
};

it('tells vfkit what the machine is', () => {
  expect(vfkitArguments(boot)).toEqual([
    '--cpus',
    '2',
    '--memory',
    '2048',
    '--bootloader',
    'linux,kernel=/i/kernel,initrd=/i/initrd,cmdline="console=hvc0 quiet lsm=landlock,yama,bpf"',
    '--device',
    'virtio-blk,path=/m/system.disk',
    '--device',
    'virtio-blk,path=/m/data.disk',
    '--device',
    'virtio-blk,path=/m/seed.disk',
    '--device',
    'virtio-net,nat,mac=02:00:00:00:00:01',
    '--device',
    'virtio-rng',
    '--device',
    'virtio-serial,logFilePath=/m/serial.log',
    '--restful-uri',
    'unix:///m%20a/vfkit.sock',
  ]);
});

it('refuses paths that vfkit would tear apart', () => {
  const refused = expect.objectContaining({ code: 'invalid-setting' });
  expect(() => vfkitArguments({ ...boot, serialLog: '/a,b' })).toThrow(refused);
  expect(() => vfkitArguments({ ...boot, disks: ['/a"b'] })).toThrow(refused);
});

it('gives folders to the guest as devices, but those whose names it cannot be given', () => {
  const shares = new Map([
    ['0123', '/Users/me'],
    ['4567', '/Users/you, too'],
  ]);
  const devices = vfkitArguments({ ...boot, shares }).filter((argument) => argument.startsWith('virtio-fs'));
  expect(devices).toEqual(['virtio-fs,sharedDir=/Users/me,mountTag=0123']);
});

it('gives each machine a network card of its own, the same each time', () => {
  const one = macAddressOf('a'.repeat(32));
  expect(one).toMatch(/^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/);
  expect(macAddressOf('a'.repeat(32))).toBe(one);
  expect(macAddressOf('b'.repeat(32))).not.toBe(one);
});
