const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB'] as const;

/** Decimal units, as docker prints sizes: with three significant digits those of images (`4.26MB`, `13.3kB`, `0B`), with four those of totals. */
export function formatSize(sizeBytes: number, digits = 3): string {
  let value = sizeBytes;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${significant(value, digits)}${units[unit] ?? ''}`;
}

/** Binary units, as docker prints memory: `1.94GiB`. */
export function formatMemory(sizeBytes: number): string {
  let value = sizeBytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${significant(value, 4)}${(units[unit] ?? '').replace('B', unit === 0 ? 'B' : 'iB').replace('k', 'K')}`;
}

/** Go's `%.3g`, without its exponent. */
function significant(value: number, digits: number): string {
  return String(Number(value.toPrecision(digits)));
}

const multipliers: Readonly<Record<string, number>> = { '': 0, b: 0, k: 1, m: 2, g: 3, t: 4, p: 5 };

/** `512m`, `1.5g`, `2GiB`, `100`: bytes, in binary units whatever they are called, as docker's `--memory`. Throws RangeError. */
export function parseMemory(text: string): number {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text) ?? [];
  const power = multipliers[unit.toLowerCase()];
  if (digits === undefined || power === undefined) throw new RangeError(`invalid size: '${text}'`);
  return Math.floor(Number(digits) * 1024 ** power);
}
