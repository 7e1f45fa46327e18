import { z } from 'zod';

/** What the driver must know again of a machine. */
const memorySchema = z.object({
  /** Where it was found at its last start. */
  address: z.ipv4().nullable(),
  /** Its processors stand still: `vmrun list` does not tell. */
  isPaused: z.boolean(),
  /** The image that its system disk was copied from. */
  systemDisk: z.string().nullable(),
});

type VmwareMemory = z.infer<typeof memorySchema>;
const noMemory: VmwareMemory = { address: null, isPaused: false, systemDisk: null };

export function readMemory(memory: Readonly<Record<string, unknown>>): VmwareMemory {
  const parsed = memorySchema.safeParse(memory);
  return parsed.success ? parsed.data : noMemory;
}
