import type { MachineSettings, SettingField, SettingValue } from '../../desktop/contract/drivers.ts';
import { bytes } from '../wording/bytes.ts';

/**
 * A driver's settings as a person types them, and what they mean. Sizes carry a unit (`2 GB`), lists have one entry a line,
 * and what is left empty is the driver's to decide.
 */
export type SettingTexts = Readonly<Record<string, string | boolean>>;

/** Which rule a field breaks; the page's text turns it into a sentence. */
export type SettingProblem =
  | { readonly kind: 'missing' }
  | { readonly kind: 'no-number' | 'no-size'; readonly least: string; readonly most: string }
  | { readonly kind: 'only-grows'; readonly now: string };

export type ParsedSettings =
  | { readonly kind: 'ready'; readonly settings: MachineSettings }
  | { readonly kind: 'problems'; readonly problems: Readonly<Record<string, SettingProblem>> };

/** What the fields hold at first: the values that a machine has, or those that a new one would get. */
export function textsOf(fields: readonly SettingField[], values: MachineSettings = {}): SettingTexts {
  return Object.fromEntries(fields.map((field) => [field.key, textOf(field, values[field.key] ?? field.standard)]));
}

/** Only what differs from `before` (by default: from what a new machine gets by itself) is in the settings. */
export function parseSettings(
  fields: readonly SettingField[],
  typed: { readonly texts: SettingTexts; readonly before?: MachineSettings },
): ParsedSettings {
  const { texts, before } = typed;
  const settings: Record<string, SettingValue> = {};
  const problems: Record<string, SettingProblem> = {};
  for (const field of fields) {
    const text = texts[field.key] ?? '';
    const was = before?.[field.key] ?? field.standard;
    // As it was shown: a size that is no round number must not change by being looked at.
    if (text === textOf(field, was) && !(field.isRequired && was === null)) continue;
    const parsed = parseOne(field, text);
    if ('problem' in parsed) problems[field.key] = parsed.problem;
    else if (onlyGrows(field, before) && typeof was === 'number' && Number(parsed.value) < was)
      problems[field.key] = { kind: 'only-grows', now: bytes(was) };
    else if (parsed.value !== undefined) settings[field.key] = parsed.value;
  }
  return Object.keys(problems).length === 0 ? { kind: 'ready', settings } : { kind: 'problems', problems };
}

/** The same machine made in a terminal; secrets are left to be typed. */
export function createCommand(request: {
  readonly name: string;
  readonly driver: string;
  readonly fields: readonly SettingField[];
  readonly settings: MachineSettings;
  readonly keepsSecrets: boolean;
}): readonly string[] {
  const { name, driver, fields, settings, keepsSecrets } = request;
  const flags = fields.flatMap(({ key, flag, kind }): string[] => {
    const value = settings[key];
    if (value === undefined || value === false) return [];
    if (value === true) return [`--${flag}`];
    if (kind === 'secret') return [`--${flag}`, '…'];
    if (Array.isArray(value)) return value.flatMap((one) => [`--${flag}`, one]);
    return [
      `--${flag}`,
      kind === 'bytes'
        ? bytes(Number(value)).replace(/ (\w)B$/, (_, unit: string) => unit.toLowerCase())
        : String(value),
    ];
  });
  return [
    'skiff',
    'machine',
    'create',
    '--driver',
    driver,
    ...flags,
    ...(keepsSecrets ? ['--keep-secrets'] : []),
    name,
  ];
}

/** A disk that a machine has cannot become smaller. */
function onlyGrows({ key }: SettingField, before: MachineSettings | undefined): boolean {
  return before !== undefined && key === 'diskBytes';
}

function textOf({ kind }: SettingField, value: SettingValue | null): string | boolean {
  if (kind === 'switch') return value === true;
  if (value === null || typeof value === 'boolean') return '';
  if (kind === 'bytes') return bytes(Number(value));
  return Array.isArray(value) ? value.join('\n') : String(value);
}

type Parsed = { readonly value: SettingValue | undefined } | { readonly problem: SettingProblem };

function parseOne(field: SettingField, text: string | boolean): Parsed {
  if (typeof text === 'boolean') return { value: text };
  const word = field.kind === 'secret' ? text : text.trim();
  // An empty list is a wish too: for none of those that there would be by themselves.
  if (word === '' && field.kind !== 'list')
    return field.isRequired ? { problem: { kind: 'missing' } } : { value: undefined };
  switch (field.kind) {
    case 'integer':
      return inRange(field, /^\d+$/.test(word) ? Number(word) : null, { kind: 'no-number', show: String });
    case 'bytes':
      return inRange(field, parseSize(word), { kind: 'no-size', show: bytes });
    case 'list':
      return {
        value: word
          .split('\n')
          .map((line) => line.trim())
          .filter(Boolean),
      };
    case 'text':
    case 'path':
    case 'secret':
    case 'switch':
      return { value: word };
  }
}

function inRange(
  { least, most }: SettingField,
  value: number | null,
  wrong: { readonly kind: 'no-number' | 'no-size'; readonly show: (value: number) => string },
): Parsed {
  const [from, to] = [least ?? 0, most ?? Number.MAX_SAFE_INTEGER];
  // Limits are shown rounded: what is shown is taken.
  const isLimit = value !== null && wrong.show(value) === wrong.show(to);
  if (value !== null && value >= from && (value <= to || isLimit)) return { value: Math.min(value, to) };
  return { problem: { kind: wrong.kind, least: wrong.show(from), most: wrong.show(to) } };
}

const unitBytes: Readonly<Record<string, number>> = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** `2 GB`, `512m`, `1.5 GiB`; a number alone means gigabytes, as people speak of memory and disks. */
function parseSize(text: string): number | null {
  const [, number, unit = 'g'] = /^(\d+(?:[.,]\d+)?)\s*([kmgt])?(?:i?b)?$/i.exec(text) ?? [];
  const factor = unitBytes[unit.toLowerCase()];
  if (number === undefined || factor === undefined) return null;
  return Math.floor(Number(number.replace(',', '.')) * factor);
}
