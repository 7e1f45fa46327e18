import { z } from 'zod';
import type { Driver } from '../drivers/driver.ts';
import { MachineError } from '../machines.ts';
import type { MachineSettings } from '../machines.ts';
import type { Setting } from '../settings/setting.ts';
import { setting } from '../settings/setting.ts';
import type { Share } from './share.ts';
import { describeShare, parseShare } from './share.ts';

/** The key of every driver that can share folders; the values are shares as texts. */
export const sharesKey = 'shares';
/** Instead of a share: nothing is shared. */
export const noShare = 'none';

/** `standard`: what is shared where nobody says anything: the user's home, as others do it, or nothing. */
export function shareSetting(standard: 'home' | 'nothing'): Setting<readonly string[]> {
  const { field } = setting.list({
    flag: 'mount',
    title: 'Shared folders',
    help: `Folder of this computer that its containers may bind (HOST[:MACHINE][:ro]); may be repeated; none shares nothing (default: ${standard === 'home' ? 'your home' : 'nothing'})`,
    environment: ['SKIFF_MACHINE_MOUNT'],
    isAdvanced: false,
  });
  return {
    field: { ...field, standard: standard === 'home' ? ['~'] : [noShare] },
    schema: z.array(z.string().min(1)).transform(normalized).readonly(),
  };
}

/** What a machine shares; one that was made before there were shares has its driver's usual ones. */
export function sharesOf(driver: Pick<Driver, 'settings'>, settings: MachineSettings): readonly Share[] {
  const field = driver.settings.fields.find(({ key }) => key === sharesKey);
  const said = settings[sharesKey] ?? field?.standard ?? [];
  return typeof said === 'object' ? said.filter((text) => text !== noShare).map(parseShare) : [];
}

/** Absolute, each once; `none` stands alone. Throws `invalid-setting`. */
function normalized(texts: readonly string[]): readonly string[] {
  if (texts.includes(noShare)) {
    if (texts.some((text) => text !== noShare))
      throw new MachineError('invalid-setting', `--mount ${noShare} stands alone: it shares nothing`);
    return [noShare];
  }
  if (texts.length === 0) return [noShare];
  const shares = texts.map(parseShare);
  const taken = new Set<string>();
  for (const { machinePath } of shares) {
    if (taken.has(machinePath))
      throw new MachineError('invalid-setting', `--mount: two folders cannot both be ${machinePath} in the machine`);
    taken.add(machinePath);
  }
  return shares.map(describeShare);
}
