import { z } from './zod.ts';
import { protocol } from './containers.ts';
import { listUpdate } from './list-updates.ts';
import { stream } from './shape.ts';

/** A published port of a container, brought to this computer. */
const forward = z.object({
  /** Unique among all forwards. */
  id: z.string(),
  machine: z.string(),
  containerId: z.string(),
  /** Empty when the container is gone from the list. */
  containerName: z.string(),
  containerPort: z.number(),
  protocol,
  /** On this computer: `localhost:8080`. */
  localAddress: z.string(),
  state: z.enum(['open', 'failed']),
  /** Why it is not open and what to do about it. */
  error: z.string().nullable(),
});
export type Forward = z.infer<typeof forward>;

export const ports = {
  /** Keyed by `id`. */
  watch: stream({ input: z.strictObject({}), item: listUpdate(forward, z.string()) }),
};
