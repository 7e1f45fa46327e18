import type { z } from 'zod';

/** Reads what a driver remembered last of a machine; `nothing` for a new one, and for what an older Skiff wrote in another form. */
export function remembered<T>(schema: z.ZodType<T>, nothing: T): (memory: Readonly<Record<string, unknown>>) => T {
  return (memory) => {
    const parsed = schema.safeParse(memory);
    return parsed.success ? parsed.data : nothing;
  };
}
