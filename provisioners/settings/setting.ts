import { z } from 'zod';

/**
 * One setting of a driver, said once. Command-line flags, environment names, the desktop's form, validation and
 * docs/drivers.md all come from it (driver-settings.ts collects a driver's).
 */
export type SettingValue = string | number | boolean | readonly string[];

export type SettingKind = 'integer' | 'bytes' | 'text' | 'switch' | 'list' | 'path' | 'secret';

/** A setting as data: all that a form or a command line needs, and nothing that cannot be sent as JSON. */
export interface SettingField {
  /** Name in the machine's document: `memoryBytes`. */
  readonly key: string;
  readonly kind: SettingKind;
  /** Without dashes: `generic-ip-address`. Drivers share a flag when they mean the same: `memory`. */
  readonly flag: string;
  /** Read where no flag is given, first to last. */
  readonly environment: readonly string[];
  /** For a form: `Memory`. */
  readonly title: string;
  readonly help: string;
  /** What counts when nobody says anything; null: nothing, or what the driver finds out. */
  readonly standard: SettingValue | null;
  readonly isRequired: boolean;
  /** For integers and bytes. */
  readonly least: number | null;
  readonly most: number | null;
  /** The only values of a text; null: any. */
  readonly choices: readonly string[] | null;
  /** What a later change needs: nothing, a restart of the machine, or another machine. */
  readonly change: 'live' | 'restart' | 'never';
  /** Few people touch it: a form shows it only when it is asked for more. */
  readonly isAdvanced: boolean;
  /** Of a secret that operations after the creation need too: it may be kept where its user asks for that. */
  readonly isLasting?: boolean;
}

export interface Setting<V> {
  readonly field: Omit<SettingField, 'key'>;
  readonly schema: z.ZodType<V>;
}

export type SettingTable = Readonly<Record<string, Setting<unknown>>>;

interface SettingText {
  readonly flag: string;
  readonly title: string;
  readonly help: string;
  readonly environment?: readonly string[];
  readonly change?: SettingField['change'];
  /** Default: what must be given and numbers with a usual value stand in front, all else is advanced. */
  readonly isAdvanced?: boolean;
}

interface Range {
  readonly least: number;
  readonly most: number;
  readonly standard: number;
}

const mebibyte = 1024 ** 2;

export const setting = {
  integer: (text: SettingText & Range): Setting<number> => ({
    field: { ...inFront('integer', text), least: text.least, most: text.most, standard: text.standard },
    schema: z.int().min(text.least).max(text.most),
  }),

  /** Rounded down to whole MiB: what hypervisors are told and what sectors divide. */
  bytes: (text: SettingText & Range): Setting<number> => ({
    field: { ...inFront('bytes', text), least: text.least, most: text.most, standard: text.standard },
    schema: z
      .int()
      .min(text.least)
      .max(text.most)
      .transform((bytes) => Math.floor(bytes / mebibyte) * mebibyte),
  }),

  text: (text: SettingText & { readonly standard: string; readonly choices?: readonly string[] }): Setting<string> => ({
    field: { ...fieldOf('text', text), standard: text.standard, choices: text.choices ?? null },
    schema: z.string().refine((value) => text.choices === undefined || text.choices.includes(value)),
  }),

  required: (text: SettingText): Setting<string> => ({
    field: { ...inFront('text', text), isRequired: true },
    schema: z.string().trim().min(1),
  }),

  optional: (text: SettingText & { readonly kind?: 'text' | 'path' }): Setting<string | undefined> => ({
    field: fieldOf(text.kind ?? 'text', text),
    schema: z.string().min(1).optional(),
  }),

  /** One that something else decides when it is not given. */
  optionalInteger: (text: SettingText & Pick<Range, 'least' | 'most'>): Setting<number | undefined> => ({
    field: { ...fieldOf('integer', text), least: text.least, most: text.most },
    schema: z.int().min(text.least).max(text.most).optional(),
  }),

  /**
   * Not written anywhere: it is given anew, by flag or environment, to each operation that needs it; a lasting one is kept where its
   * user asks for that (secrets/kept-secrets.ts).
   */
  secret: (text: SettingText & { readonly isLasting?: boolean }): Setting<string | undefined> => ({
    field: { ...fieldOf('secret', text), ...(text.isLasting === true ? { isLasting: true } : {}) },
    schema: z.string().min(1).optional(),
  }),

  switch: (text: SettingText): Setting<boolean> => ({
    field: { ...fieldOf('switch', text), standard: false },
    schema: z.boolean(),
  }),

  list: (text: SettingText): Setting<readonly string[]> => ({
    field: { ...fieldOf('list', text), standard: [] },
    schema: z.array(z.string().min(1)).readonly(),
  }),
};

function inFront(kind: SettingKind, text: SettingText): Omit<SettingField, 'key'> {
  return fieldOf(kind, { isAdvanced: false, ...text });
}

function fieldOf(kind: SettingKind, text: SettingText): Omit<SettingField, 'key'> {
  const { flag, title, help, environment = [], change = 'never', isAdvanced = true } = text;
  return {
    kind,
    flag,
    environment,
    title,
    help,
    standard: null,
    isRequired: false,
    least: null,
    most: null,
    choices: null,
    change,
    isAdvanced,
  };
}
