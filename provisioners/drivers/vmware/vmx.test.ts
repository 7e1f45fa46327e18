import { expect, it } from 'vitest';
import type { VmxMachine } from './vmx.ts';
import { isSuspended, vmwareMacAddress, vmxValue, writeVmx } from './vmx.ts';

const machine: VmxMachine = {
  arch: 'x64',
  displayName: 'skiff-web',
  uuid: '0123456789abcdef0123456789abcdef',
  cpus: 2,
  memoryBytes: 1_500_000_000,
  disks: ['/m/system.vmdk', '/m/data.vmdk', '/m/seed.vmdk'],
  macAddress: '00:50:56:01:02:03',
  serialLog: 'C:\\a "b|c\\serial.log',
};

it('tells VMware what the machine is', () => {
  const text = writeVmx(machine);
  const values = {
    numvcpus: '2',
    // Whole 4 MiB.
    memsize: '1428',
    guestOS: 'other5xlinux-64',
    firmware: 'efi',
    'uuid.bios': '01 23 45 67 89 ab cd ef-01 23 45 67 89 ab cd ef',
    'nvme0:1.fileName': '/m/data.vmdk',
    'ethernet0.address': '00:50:56:01:02:03',
  };
  for (const [key, value] of Object.entries(values)) expect(vmxValue(text, key), key).toBe(value);
  expect(vmxValue(writeVmx({ ...machine, arch: 'arm64' }), 'guestOS')).toBe('arm-other5xlinux-64');
});

it('writes values that would end a line or a value so that they do not', () => {
  const text = writeVmx(machine);
  expect(text).toContain('serial0.fileName = "C:\\a |22b|7Cc\\serial.log"\n');
  expect(vmxValue(text, 'serial0.fileName')).toBe(machine.serialLog);
});

it('knows a machine whose memory is on disk', () => {
  const text = writeVmx(machine);
  expect(isSuspended(text)).toBe(false);
  expect(isSuspended(`${text}checkpoint.vmState = ""\n`)).toBe(false);
  expect(isSuspended(`${text}checkpoint.vmState = "skiff-1f.vmss"\r\n`)).toBe(true);
});

it('gives each machine a network card of those that VMware allows', () => {
  expect(vmwareMacAddress('ff'.repeat(16))).toBe('00:50:56:3f:ff:ff');
  expect(vmwareMacAddress('01'.repeat(16))).toBe('00:50:56:01:01:01');
});
