import { z } from './zod.ts';
import { machineName } from './machines.ts';
import { stream } from './shape.ts';

const logLine = z.object({
  stream: z.enum(['stdout', 'stderr']),
  /** When the engine took it in: RFC 3339 with nanoseconds, so that sources can be merged; null when it could not be told. */
  time: z.string().nullable(),
  /** Without its line end; escape sequences as they were written. */
  text: z.string(),
  /** The line goes on in the next one of the same stream: it was too long for one record, or its end is not written yet. */
  isPartial: z.boolean(),
});
export type LogLine = z.infer<typeof logLine>;

export const logs = {
  /**
   * The last `tail` lines (null: all), then, with `follow`, what comes, across restarts of the container and of the
   * connection, until the container is removed. Lines come in batches, at least one line each.
   */
  open: stream({
    input: z.strictObject({
      machine: machineName,
      id: z
        .string()
        .regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/, 'must be a container id or name')
        .max(255),
      tail: z.int().min(0).max(10_000_000).nullable().default(1000),
      follow: z.boolean().default(true),
    }),
    item: z.object({ lines: z.array(logLine) }),
    errors: ['no-such-machine', 'not-running', 'engine-unreachable', 'engine-refused', 'no-such-container'],
  }),
};
