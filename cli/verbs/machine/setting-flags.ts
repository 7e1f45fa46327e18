import type { MachineSettings } from '../../../provisioners/machines.ts';
import type { SettingField, SettingValue } from '../../../provisioners/settings/setting.ts';
import type { Flag, FlagTable } from '../../flags/flag.ts';
import { flag } from '../../flags/flag.ts';
import { parseMemory } from '../../formats/sizes.ts';
import { CommandError } from '../../usage-error.ts';

/** Flags of the command line out of a driver's settings, so that what a driver needs is said once: in the driver. */
export function flagsOf(fields: readonly SettingField[]): FlagTable {
  return Object.fromEntries(fields.map((field) => [flagKey(field), flagOf(field)]));
}

/** What was given: by flag, else by the environment. */
export function givenSettings(
  fields: readonly SettingField[],
  from: {
    readonly flags: Readonly<Record<string, unknown>>;
    readonly environment: Readonly<Record<string, string | undefined>>;
  },
): MachineSettings {
  const given = fields.flatMap((field): [string, SettingValue][] => {
    const value = from.flags[flagKey(field)];
    // A list that is empty was not given.
    if (isSettingValue(value) && !(Array.isArray(value) && value.length === 0)) return [[field.key, value]];
    const name = field.environment.find((name) => (from.environment[name] ?? '') !== '');
    return name === undefined ? [] : [[field.key, readVariable(field, name, from.environment[name] ?? '')]];
  });
  return Object.fromEntries(given);
}

function flagOf(field: SettingField): Flag<unknown> {
  const help = field.help + (field.environment.length === 0 ? '' : ` [$${field.environment.join(', $')}]`);
  switch (field.kind) {
    case 'integer':
      return flag.integer({ help });
    case 'bytes':
      return flag.value({ help }, 'bytes', parseMemory);
    case 'switch':
      return flag.choice({ help });
    case 'list':
      return flag.list({ help });
    case 'text':
      return flag.text({ help, ...(field.choices === null ? {} : { offers: field.choices }) });
    case 'path':
      return flag.text({ help, placeholder: 'path', offers: 'file' });
    case 'secret':
      return flag.text({ help });
  }
}

function readVariable(field: SettingField, name: string, text: string): SettingValue {
  try {
    switch (field.kind) {
      case 'integer':
        return Number(text);
      case 'bytes':
        return parseMemory(text);
      case 'switch':
        return text === '1' || text.toLowerCase() === 'true';
      case 'list':
        return text.split(',');
      case 'text':
      case 'path':
      case 'secret':
        return text;
    }
  } catch (error) {
    throw new CommandError(`$${name} cannot be read: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

/** `generic-ip-address` -> `genericIpAddress`, of which the flag parser makes the flag again. */
function flagKey({ flag: name }: SettingField): string {
  return name.replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function isSettingValue(value: unknown): value is SettingValue {
  return (
    ['string', 'number', 'boolean'].includes(typeof value) ||
    (Array.isArray(value) && value.every((word) => typeof word === 'string'))
  );
}
