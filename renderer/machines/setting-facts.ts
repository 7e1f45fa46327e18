import type { MachineSettings, SettingField } from '../../desktop/contract/drivers.ts';
import { text } from '../text/text.ts';
import { bytes } from '../wording/bytes.ts';

/** Folders that are shared have a place of their own. */
export const sharesKey = 'shares';

/** What a machine was given, in words; what is empty or off is left out. */
export function settingFacts(
  settings: MachineSettings,
  fields: readonly SettingField[],
): readonly { readonly key: string; readonly title: string; readonly value: string }[] {
  const known = fields.filter(({ key }) => settings[key] !== undefined && key !== sharesKey).map(({ key }) => key);
  const keys = [...known, ...Object.keys(settings).filter((key) => !known.includes(key) && key !== sharesKey)];
  return keys.flatMap((key) => {
    const value = settings[key];
    if (value === undefined || value === false || value === '' || (Array.isArray(value) && value.length === 0))
      return [];
    const field = fields.find((one) => one.key === key);
    const isSize = typeof value === 'number' && (field === undefined ? key.endsWith('Bytes') : field.kind === 'bytes');
    const words = isSize ? bytes(value) : value === true ? text.machine.yes : String(value).replaceAll(',', ', ');
    return [{ key, title: field?.title ?? key, value: words }];
  });
}
