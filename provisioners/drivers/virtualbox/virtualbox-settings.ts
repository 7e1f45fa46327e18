import { vmSettings } from '../vm/vm-settings.ts';

/** VirtualBox changes none of them while a machine runs. */
export const virtualboxSettings = vmSettings({ mostDiskBytes: 2 * 1024 ** 4, diskChange: 'restart' });
