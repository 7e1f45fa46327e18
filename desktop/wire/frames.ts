/**
 * The protocol, frame by frame. A caller numbers its calls from 1 and never uses a number twice on one link.
 *
 *     caller                                   callee
 *     call   { id, service, method, input }    → answer { id, output }  or  error { id, error }
 *     open   { id, ..., credits }              → item { id, item } at most `credits` times, …, end { id }  or  error { id, error }
 *     credit { id, credits }                   (so many more items may be sent)
 *     cancel { id }                            → error { id, cancelled } for a call; for a stream nothing more is sent
 *
 * Frames for a number that has ended are let pass: they crossed the end on their way. Anything else that does not fit closes
 * the link: a peer that breaks the protocol is broken or hostile, and neither is worth guessing for.
 */
import { errorShape } from '../contract/errors.ts';
import { z } from '../contract/zod.ts';

const id = z.int().min(1);
const credits = z.int().min(1).max(1024);
const name = z.string().max(64);

export const callerFrame = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('call'), id, service: name, method: name, input: z.unknown() }),
  z.strictObject({ type: z.literal('open'), id, service: name, method: name, input: z.unknown(), credits }),
  z.strictObject({ type: z.literal('credit'), id, credits }),
  z.strictObject({ type: z.literal('cancel'), id }),
]);
export type CallerFrame = z.infer<typeof callerFrame>;

export const calleeFrame = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('answer'), id, output: z.unknown() }),
  z.strictObject({ type: z.literal('item'), id, item: z.unknown() }),
  z.strictObject({ type: z.literal('end'), id }),
  z.strictObject({ type: z.literal('error'), id, error: errorShape }),
]);
export type CalleeFrame = z.infer<typeof calleeFrame>;

/** Items that may be on their way at once; more are asked for when half of them have been read. */
export const streamWindow = 32;
/** Credits that a caller may pile up; above that it does not mean to read. */
export const maxCredits = 4096;
/** Calls under way at once on one link. The page needs a handful. */
export const maxCalls = 1000;
export const defaultCallTimeoutMs = 30_000;
