import { MachineError } from '../machines.ts';
import type { MachineSettings } from '../machines.ts';
import type { Setting, SettingField, SettingTable, SettingValue } from './setting.ts';

/**
 * All settings of one driver. `resolve` is the only way in: what it returns is checked, complete, and typed for the driver.
 *
 *     const settings = driverSettings({ cpus: setting.integer({ … }), host: setting.required({ … }) });
 *     const { cpus, host } = settings.resolve({ host: '192.0.2.7' });
 */
export interface DriverSettings<V extends object = object> {
  readonly fields: readonly SettingField[];
  /** Fills in what was not asked for; `invalid-setting`, naming the flag, for what is missing, unknown or cannot be. */
  resolve(requested: MachineSettings): V;
}

type ValuesOf<T extends SettingTable> = { readonly [K in keyof T]: T[K] extends Setting<infer V> ? V : never };

export function driverSettings<T extends SettingTable>(table: T): DriverSettings<ValuesOf<T>> {
  const fields = Object.entries(table).map(([key, { field }]): SettingField => ({ key, ...field }));
  return {
    fields,
    resolve(requested) {
      for (const [key, value] of Object.entries(requested)) {
        if (value !== undefined && !Object.hasOwn(table, key)) throw unknownSetting(key, fields);
      }
      const values = fields.map((field) => [field.key, resolveOne(field, table, requested[field.key])] as const);
      // Each value has passed the schema of its key.
      return Object.fromEntries(values) as ValuesOf<T>;
    },
  };
}

/** What may be written into the machine's document: everything but secrets. */
export function storedSettings(fields: readonly SettingField[], values: MachineSettings): MachineSettings {
  const secret = new Set(fields.flatMap(({ kind, key }) => (kind === 'secret' ? [key] : [])));
  return Object.fromEntries(
    Object.entries(values).filter(([key, value]) => value !== undefined && !secret.has(key)),
  ) as MachineSettings;
}

/** The secrets among them that the environment gives: every operation reads them anew. */
export function environmentSecrets(
  fields: readonly SettingField[],
  environment: Readonly<Record<string, string | undefined>>,
): MachineSettings {
  const given = fields.flatMap(({ key, kind, environment: names }): [string, string][] => {
    const value = kind === 'secret' ? names.map((name) => environment[name]).find((text) => text) : undefined;
    return value === undefined ? [] : [[key, value]];
  });
  return Object.fromEntries(given);
}

/** The secrets among them that later operations need, and that were given. */
export function lastingSecrets(
  fields: readonly SettingField[],
  given: MachineSettings,
): Readonly<Record<string, string>> {
  const found = fields.flatMap(({ key, isLasting }): [string, string][] => {
    const value = given[key];
    return isLasting === true && typeof value === 'string' ? [[key, value]] : [];
  });
  return Object.fromEntries(found);
}

function resolveOne(field: SettingField, table: SettingTable, asked: SettingValue | undefined): unknown {
  const value = asked ?? field.standard ?? undefined;
  if (value === undefined && field.isRequired) {
    throw new MachineError('invalid-setting', `${field.title} is missing: give it ${howToGive(field)}`);
  }
  const checked = table[field.key]?.schema.safeParse(value);
  if (checked?.success === true) return checked.data;
  throw new MachineError(
    'invalid-setting',
    `${field.title} (--${field.flag}) must be ${allowed(field)}, not ${shown(field, value)}`,
  );
}

function howToGive({ flag, environment }: SettingField): string {
  return [`with --${flag}`, ...environment].join(' or as ');
}

function allowed(field: SettingField): string {
  const { kind, least, most, choices } = field;
  if (choices !== null) return `one of ${choices.join(', ')}`;
  switch (kind) {
    case 'integer':
      return `a whole number from ${least} to ${most}`;
    case 'bytes':
      return `${readableBytes(least ?? 0)} to ${readableBytes(most ?? 0)}`;
    case 'switch':
      return 'true or false';
    case 'list':
      return 'a list of words';
    case 'text':
    case 'path':
    case 'secret':
      return 'a text that is not empty';
  }
}

function shown({ kind }: SettingField, value: unknown): string {
  if (kind === 'secret') return 'what was given';
  return kind === 'bytes' && typeof value === 'number' ? readableBytes(value) : JSON.stringify(value);
}

/** `512 MiB`, `1.5 GiB`: in messages about limits. */
export function readableBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let [value, unit] = [bytes, 0];
  while (Math.abs(value) >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${Number(value.toFixed(1))} ${units[unit]}`;
}

function unknownSetting(key: string, fields: readonly SettingField[]): MachineError {
  const known = fields.map((field) => field.key).join(', ');
  return new MachineError('invalid-setting', `This driver has no setting "${key}"; it has: ${known || 'none'}`);
}
