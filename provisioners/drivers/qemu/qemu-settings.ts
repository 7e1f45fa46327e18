import { vmSettings } from '../vm/vm-settings.ts';

export const qemuSettings = vmSettings({ mostDiskBytes: 16 * 1024 ** 4, diskChange: 'live' });
