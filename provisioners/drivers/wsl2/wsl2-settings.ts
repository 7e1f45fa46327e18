import { driverSettings } from '../../settings/driver-settings.ts';
import { shareSetting } from '../../shares/share-setting.ts';

/** Processors, memory and the largest disk are WSL's, the same for all distributions (`.wslconfig`). */
export const wsl2Settings = driverSettings({ shares: shareSetting('home') });
