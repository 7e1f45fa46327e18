import { invalid } from '../model/errors.ts';
import type { Filters } from '../model/filters.ts';

const truths: Readonly<Record<string, boolean>> = { '1': true, true: true, '0': false, false: false };

/** Null when nobody asked. Throws `invalid` for what is neither true nor false, and for both at once. */
export function readDangling(filters: Filters): boolean | null {
  return readTruth(filters, 'dangling');
}

export function readTruth(filters: Filters, key: string): boolean | null {
  const values = filters.get(key) ?? [];
  const [first] = values;
  if (first === undefined) return null;
  const truth = truths[first];
  if (truth === undefined || values.some((value) => truths[value] !== truth))
    throw invalid(`invalid filter '${key}=[${values.join(' ')}]'`);
  return truth;
}
