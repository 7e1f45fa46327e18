import { z } from 'zod';

/** What the driver must know again of a machine. */
const memorySchema = z.object({
  /** Where it was found at its last start. */
  address: z.ipv4().nullable(),
  /** The image that its system disk was copied from. */
  systemDisk: z.string().nullable(),
});

type VfkitMemory = z.infer<typeof memorySchema>;
const noMemory: VfkitMemory = { address: null, systemDisk: null };

export function readMemory(memory: Readonly<Record<string, unknown>>): VfkitMemory {
  const parsed = memorySchema.safeParse(memory);
  return parsed.success ? parsed.data : noMemory;
}
