import type { MachineSettings } from '../../machines.ts';
import { driverSettings } from '../../settings/driver-settings.ts';
import { setting } from '../../settings/setting.ts';
import { vmSettingTable } from '../vm/vm-settings.ts';

export const qemuSettings = driverSettings({
  ...vmSettingTable({ mostDiskBytes: 16 * 1024 ** 4, diskChange: 'live' }),
  sharesBy: setting.text({
    flag: 'qemu-shares',
    title: 'Way of shared folders',
    help: 'sftp: over the connection to the machine, on any computer; virtiofs: many times as fast for large files, needs virtiofsd (Linux)',
    environment: ['SKIFF_QEMU_SHARES'],
    choices: ['sftp', 'virtiofs'],
    standard: 'sftp',
    change: 'restart',
  }),
});

/** Whether its shared folders are to be devices as well. */
export function wantsDevices(settings: MachineSettings): boolean {
  return qemuSettings.resolve(settings).sharesBy === 'virtiofs';
}
