/** Answers that never change for the same image: a client that has one is told so, without any work. */
import { createHash } from 'node:crypto';
import { engineVersion } from '../../version.ts';
import type { Exchange } from '../exchange.ts';

/** `ids`: what the answer is about. The query belongs to it, and the version of the engine, which decides the form. */
export async function lastingAnswer(
  exchange: Exchange,
  ids: readonly string[],
  make: () => Promise<unknown>,
): Promise<void> {
  const entityTag = entityTagOf(exchange, ids);
  if (hasIt(exchange, entityTag)) return notModified(exchange, entityTag);
  const value = await make();
  setEntityTag(exchange, entityTag);
  exchange.json(200, value);
}

export function entityTagOf(exchange: Exchange, ids: readonly string[]): string {
  const { pathname, searchParams } = new URL(exchange.request.url ?? '/', 'http://engine');
  const route = pathname.slice(pathname.lastIndexOf('/') + 1);
  // The name stands in the query of a comparison, and may move to another image.
  const asked = [...searchParams].filter(([key]) => !['from', 'to'].includes(key));
  const raw = exchange.request.url?.split('?')[1] ?? '';
  const parts = [engineVersion, route, ...ids, asked.length === 0 ? '' : raw];
  return `"${createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 32)}"`;
}

export function hasIt(exchange: Exchange, entityTag: string): boolean {
  const known = exchange.request.headers['if-none-match'];
  return known !== undefined && known.split(',').some((tag) => tag.trim().replace(/^W\//, '') === entityTag);
}

export function notModified(exchange: Exchange, entityTag: string): void {
  setEntityTag(exchange, entityTag);
  exchange.empty(304);
}

/** A name may come to mean another image: who has an answer asks again. */
export function setEntityTag(exchange: Exchange, entityTag: string): void {
  exchange.response.setHeader('ETag', entityTag);
  exchange.response.setHeader('Cache-Control', 'private, no-cache');
}
