/**
 * How lists travel: whole once, then as changes. Each update of one stream carries a `seq` one above the last, and the
 * first is a snapshot; who sees a gap opens the stream anew. A sender whose reader is slow merges the changes that wait
 * into one, so an item may skip states in between but the last one always arrives.
 */
import { z } from './zod.ts';

/** `key` names the field, or combination of fields, that `remove` speaks of. */
export function listUpdate<T extends z.ZodType, K extends z.ZodType>(item: T, key: K) {
  return z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('snapshot'), seq: z.int().nonnegative(), items: z.array(item) }),
    z.object({ kind: z.literal('change'), seq: z.int().nonnegative(), upsert: z.array(item), remove: z.array(key) }),
  ]);
}

/** The same as a plain type, for code that is generic over lists. */
export type ListUpdate<T, K> =
  | { readonly kind: 'snapshot'; readonly seq: number; readonly items: T[] }
  | { readonly kind: 'change'; readonly seq: number; readonly upsert: T[]; readonly remove: K[] };
