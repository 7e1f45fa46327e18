import { printf } from './printf.ts';
import { asJson, isRecord, isTruthy, isZero, kindOf, printed } from './values.ts';

/** A function of templates. Throws RangeError saying what is wrong with what it was given. */
export interface TemplateFunction {
  /** How many values it takes, at least; -1: any number. */
  readonly count: number;
  call(values: readonly unknown[]): unknown;
}

const exactly = (count: number, call: TemplateFunction['call']): TemplateFunction => ({ count, call });
const any = (call: TemplateFunction['call']): TemplateFunction => ({ count: -1, call });

/** Those of Go's templates and those that docker adds. `and` and `or` are known to who evaluates: they stop early. */
export const functions: Readonly<Record<string, TemplateFunction>> = {
  and: any((values) => values.at(-1)),
  or: any((values) => values.at(-1)),
  not: exactly(1, ([value]) => !isTruthy(value)),
  len: exactly(1, ([value]) => lengthOf(value)),
  index: any(([value, ...keys]) => keys.reduce((current, key) => entryOf(current, key), value)),
  slice: any(([value, from, to]) => sliceOf(value, from, to)),
  print: any((values) => printedTogether(values)),
  printf: any(([format, ...values]) => printf(textOf(format), values)),
  println: any((values) => `${values.map(printed).join(' ')}\n`),
  eq: any(([first, ...others]) => others.some((other) => compared(first, other) === 0)),
  ne: exactly(2, ([a, b]) => compared(a, b) !== 0),
  lt: exactly(2, ([a, b]) => ordered(a, b) < 0),
  le: exactly(2, ([a, b]) => ordered(a, b) <= 0),
  gt: exactly(2, ([a, b]) => ordered(a, b) > 0),
  ge: exactly(2, ([a, b]) => ordered(a, b) >= 0),
  html: any((values) => printedTogether(values).replaceAll(/[&<>"']/g, (sign) => `&${htmlNames[sign] ?? ''};`)),
  js: any((values) => printedTogether(values).replaceAll(/[\\'"<>&=\n\r\t]/g, jsEscape)),
  urlquery: any((values) => new URLSearchParams({ v: printedTogether(values) }).toString().slice(2)),
  json: exactly(1, ([value]) => asJson(value)),
  prettyjson: exactly(1, ([value]) => asJson(value, 4)),
  split: exactly(2, ([text, separator]) => textOf(text).split(textOf(separator))),
  join: exactly(2, ([list, separator]) => listOf(list).map(printed).join(textOf(separator))),
  title: exactly(1, ([text]) =>
    textOf(text).replaceAll(/(?<![\p{L}\p{N}_'])\p{L}/gu, (letter) => letter.toUpperCase()),
  ),
  lower: exactly(1, ([text]) => textOf(text).toLowerCase()),
  upper: exactly(1, ([text]) => textOf(text).toUpperCase()),
  pad: exactly(3, ([text, before, after]) => {
    const source = textOf(text);
    return source === '' ? source : ' '.repeat(countOf(before)) + source + ' '.repeat(countOf(after));
  }),
  truncate: exactly(2, ([text, length]) => [...textOf(text)].slice(0, countOf(length)).join('')),
};

/** What a table's header does with its titles: the values' forms are none of its business. */
export const headerFunctions: Readonly<Record<string, TemplateFunction>> = {
  ...functions,
  json: exactly(1, ([title]) => title),
  title: exactly(1, ([title]) => title),
  lower: exactly(1, ([title]) => title),
  upper: exactly(1, ([title]) => title),
  truncate: exactly(2, ([title]) => title),
};

const htmlNames: Readonly<Record<string, string>> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': '#34', "'": '#39' };

function jsEscape(sign: string): string {
  return '\\\'"'.includes(sign) ? `\\${sign}` : `\\u${sign.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
}

/** Go's Sprint: spaces between values when neither is text. */
function printedTogether(values: readonly unknown[]): string {
  return values
    .map((value, index) => {
      const isApart = index > 0 && typeof value !== 'string' && typeof values[index - 1] !== 'string';
      return (isApart ? ' ' : '') + printed(value);
    })
    .join('');
}

function lengthOf(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (isRecord(value)) return Object.keys(value).length;
  if (isZero(value)) return 0;
  throw new RangeError(`len of type ${kindOf(value)}`);
}

/** The entry of a list or an object. An object without it gives what an empty one of its entries would be. */
function entryOf(value: unknown, key: unknown): unknown {
  if (Array.isArray(value)) {
    const at = countOf(key);
    if (at >= value.length) throw new RangeError(`index out of range: ${at}`);
    return value[at];
  }
  if (typeof value === 'string') {
    const bytes = Buffer.from(value);
    const at = countOf(key);
    if (at >= bytes.length) throw new RangeError(`index out of range: ${at}`);
    return bytes[at];
  }
  if (isZero(value)) return '';
  if (!isRecord(value))
    throw new RangeError(
      value === null || value === undefined ? 'index of untyped nil' : `can't index item of type ${kindOf(value)}`,
    );
  const name = textOf(key);
  if (Object.hasOwn(value, name)) return value[name];
  return Object.values(value).every((entry) => typeof entry === 'string') ? '' : null;
}

function sliceOf(value: unknown, from: unknown, to: unknown): unknown {
  if (typeof value !== 'string' && !Array.isArray(value))
    throw new RangeError(`can't slice item of type ${kindOf(value)}`);
  const start = from === undefined ? 0 : countOf(from);
  const end = to === undefined ? value.length : countOf(to);
  if (start > end || end > value.length) throw new RangeError(`index out of range: ${Math.max(start, end)}`);
  return value.slice(start, end);
}

function compared(a: unknown, b: unknown): number {
  if (isZero(a) || isZero(b) || a === null || b === null) return isTruthy(a) === isTruthy(b) ? 0 : 1;
  if (typeof a !== typeof b || typeof a === 'object') throw new RangeError('incompatible types for comparison');
  return a === b ? 0 : 1;
}

function ordered(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return a === b ? 0 : a < b ? -1 : 1;
  throw new RangeError(kindOf(a) === kindOf(b) ? 'invalid type for comparison' : 'incompatible types for comparison');
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new RangeError(`wrong type for value; expected string; got ${kindOf(value)}`);
}

function countOf(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw new RangeError(
    typeof value === 'number'
      ? `index out of range: ${value}`
      : `wrong type for value; expected int; got ${kindOf(value)}`,
  );
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (isZero(value)) return [];
  throw new RangeError(`wrong type for value; expected []string; got ${kindOf(value)}`);
}
