import { driverSettings } from '../../settings/driver-settings.ts';
import { setting } from '../../settings/setting.ts';
import { vmSettingTable } from '../vm/vm-settings.ts';

export const hypervSettings = driverSettings({
  // What a VHDX can be grown to.
  ...vmSettingTable({ mostDiskBytes: 64 * 1024 ** 4, diskChange: 'live' }),
  virtualSwitch: setting.optional({
    flag: 'hyperv-virtual-switch',
    title: 'Virtual switch',
    help: 'Virtual switch that the machine is connected to (default: the "Default Switch" of Windows, which is NAT)',
    environment: ['HYPERV_VIRTUAL_SWITCH'],
  }),
});
