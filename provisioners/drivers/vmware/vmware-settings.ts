import { vmSettings } from '../vm/vm-settings.ts';

/** VMware changes none of them while a machine runs. */
export const vmwareSettings = vmSettings({ mostDiskBytes: 8 * 1024 ** 4, diskChange: 'restart' });
