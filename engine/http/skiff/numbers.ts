import { invalid } from '../../model/errors.ts';
import type { Exchange } from '../exchange.ts';

/** A whole number of the query between two bounds; `otherwise` when absent. Throws `invalid` naming the bounds. */
export function boundedInteger(
  exchange: Exchange,
  name: string,
  bounds: { readonly least: number; readonly most: number; readonly otherwise: number },
): number {
  const value = exchange.integer(name) ?? bounds.otherwise;
  if (value < bounds.least || value > bounds.most)
    throw invalid(`${name} must be between ${bounds.least} and ${bounds.most}, not ${value}`);
  return value;
}

/** Where a page begins: what an earlier answer gave as `next`. */
export function pageOffset(exchange: Exchange): number {
  const text = exchange.query.get('after') ?? '0';
  if (!/^\d{1,9}$/.test(text)) throw invalid(`after: expected what an earlier answer gave as next, not "${text}"`);
  return Number(text);
}

/** One of a few words of the query; the first when absent. Throws `invalid` naming them. */
export function wordOf<T extends string>(exchange: Exchange, name: string, words: readonly [T, ...T[]]): T {
  const text = exchange.query.get(name) ?? words[0];
  const word = words.find((known) => known === text);
  if (word === undefined) throw invalid(`${name} must be one of ${words.join(', ')}, not "${text}"`);
  return word;
}
