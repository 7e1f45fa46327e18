import { vmSettings } from '../vm/vm-settings.ts';

/** A machine of Apple's framework is what it was started as: nothing of it changes while it runs. */
export const vfkitSettings = vmSettings({ mostDiskBytes: 16 * 1024 ** 4, diskChange: 'restart' });
