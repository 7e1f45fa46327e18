import { z } from './zod.ts';
import { errorShape } from './errors.ts';
import { listUpdate } from './list-updates.ts';
import { machineName } from './machines.ts';
import { method, stream } from './shape.ts';

/** How the core stands with the engine of one machine. Times are Unix milliseconds. */
const engineConnection = z.discriminatedUnion('state', [
  /** The machine does not run, so there is nothing to connect to; it has no containers in the list. */
  z.object({ machine: z.string(), state: z.literal('off') }),
  /** First contact is under way; the lists are not there yet. */
  z.object({ machine: z.string(), state: z.literal('connecting'), since: z.number() }),
  /** The lists are complete and live. */
  z.object({ machine: z.string(), state: z.literal('ready'), engineVersion: z.string(), apiVersion: z.string() }),
  /** Was ready and is away; the lists show what was known at `since`. Trying again at `retryAt`. */
  z.object({
    machine: z.string(),
    state: z.literal('stale'),
    since: z.number(),
    retryAt: z.number(),
    error: errorShape,
  }),
  /** The machine runs and its engine has not answered yet; `error` says why. Trying again at `retryAt`. */
  z.object({
    machine: z.string(),
    state: z.literal('failed'),
    since: z.number(),
    retryAt: z.number(),
    error: errorShape,
  }),
]);
export type EngineConnection = z.infer<typeof engineConnection>;

export const engine = {
  /** Keyed by machine name. */
  watch: stream({ input: z.strictObject({}), item: listUpdate(engineConnection, z.string()) }),
  /** Tries again now instead of at `retryAt`; does nothing when it is ready. */
  reconnect: method({
    input: z.strictObject({ machine: machineName }),
    output: z.object({}),
    errors: ['no-such-machine'],
  }),
};
