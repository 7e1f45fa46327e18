import { z } from './zod.ts';

/** What machines are made with, and what each kind can be given and asked. The same words as provisioners/settings/setting.ts. */
const settingValue = z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]);
export type SettingValue = z.infer<typeof settingValue>;

/** By the keys of the driver's settings. What can be is the driver's to say: it answers `invalid-setting`, naming the setting. */
export const machineSettings = z.record(z.string(), settingValue);
export type MachineSettings = z.infer<typeof machineSettings>;

const settingField = z.object({
  /** Name in `MachineSettings`: `memoryBytes`. */
  key: z.string(),
  /** On a command line, without dashes: `memory`. */
  flag: z.string(),
  kind: z.enum(['integer', 'bytes', 'text', 'switch', 'list', 'path', 'secret']),
  /** For people: `Memory`. */
  title: z.string(),
  help: z.string(),
  /** What counts when nobody says anything; null: nothing, or what the driver finds out. */
  standard: settingValue.nullable(),
  isRequired: z.boolean(),
  /** Limits of integers and bytes. */
  least: z.number().nullable(),
  most: z.number().nullable(),
  /** The only values of a text; null: any. */
  choices: z.array(z.string()).nullable(),
  /** What a later change needs: nothing, a restart of the machine, or another machine. */
  change: z.enum(['live', 'restart', 'never']),
  /** Of a secret that is needed after the creation too: `keepsSecrets` keeps it. */
  isLasting: z.boolean(),
  /** Shown only to those who ask for more. */
  isAdvanced: z.boolean(),
});
export type SettingField = z.infer<typeof settingField>;

/** What only some kinds of machines can do; nothing of it is offered for the others. */
export const ability = z.enum(['pause', 'suspend', 'resize', 'snapshots', 'copies', 'file-sharing']);
export type Ability = z.infer<typeof ability>;

export const driver = z.object({
  name: z.string(),
  title: z.string(),
  /** Null when it can be used here; else why not, and what to do about it. */
  unavailable: z.string().nullable(),
  /** Whether it may be chosen for somebody who names no driver. */
  isAutomatic: z.boolean(),
  abilities: z.array(ability),
  settings: z.array(settingField),
});
export type Driver = z.infer<typeof driver>;
