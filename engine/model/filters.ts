import { invalid } from './errors.ts';

/** Filters of a list or of events: per key the accepted values. Values of one key are alternatives, keys must all hold. */
export type Filters = ReadonlyMap<string, readonly string[]>;

/**
 * Reads the `filters` parameter: JSON `{"key":{"value":true}}`, or `{"key":["value"]}` as old clients send it. Throws
 * `invalid` for broken JSON and for a key that is not in `known`; null: every key is taken.
 */
export function parseFilters(text: string | null, known: readonly string[] | null): Filters {
  const filters = new Map<string, readonly string[]>();
  if (text === null || text === '') return filters;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw invalid(`invalid filter: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw invalid('invalid filter: expected an object');
  for (const [key, value] of Object.entries(parsed as Record<string, unknown>)) {
    if (known !== null && !known.includes(key)) throw invalid(`invalid filter '${key}'`);
    filters.set(key, filterValues(key, value));
  }
  return filters;
}

function filterValues(key: string, value: unknown): readonly string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return Object.entries(value)
      .filter(([, isWanted]) => isWanted === true)
      .map(([text]) => text);
  }
  throw invalid(`invalid filter '${key}': expected an object or a list of strings`);
}

/** True when there is no such key or one of its values passes. */
export function passes(filters: Filters, key: string, test: (value: string) => boolean): boolean {
  const values = filters.get(key);
  return values === undefined || values.length === 0 || values.some(test);
}

/** Labels are the exception: every given label must be there (`key`) and equal (`key=value`). */
export function passesLabels(filters: Filters, labels: Readonly<Record<string, string>>): boolean {
  return labelsMatch(filters.get('label') ?? [], labels);
}

export function labelsMatch(wanted: readonly string[], labels: Readonly<Record<string, string>>): boolean {
  return wanted.every((text) => {
    const at = text.indexOf('=');
    const key = at === -1 ? text : text.slice(0, at);
    return Object.hasOwn(labels, key) && (at === -1 || labels[key] === text.slice(at + 1));
  });
}

/** A filter that is true or false, in the words that docker takes for it; null when it is not given. Throws `invalid` for anything else, and for both. */
export function booleanFilter(filters: Filters, key: string): boolean | null {
  const values = filters.get(key) ?? [];
  if (values.length === 0) return null;
  const isTrue = values.some((value) => value === '1' || value === 'true');
  const isFalse = values.some((value) => value === '0' || value === 'false');
  if (isTrue === isFalse) throw invalid(`invalid filter '${key}=[${values.join(' ')}]'`);
  return isTrue;
}
