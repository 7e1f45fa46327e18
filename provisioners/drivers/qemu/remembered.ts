import { z } from 'zod';
import { accelerator } from './accelerators.ts';

/** What the driver must know again of a machine. */
const memorySchema = z.object({
  /** Port of the running (or last) QEMU. */
  sshPort: z.int().min(1).max(65535).nullable(),
  /** How often boots had to be repeated. */
  repeatedBoots: z.int().nonnegative(),
  /** With what the last boot was made: a suspended machine goes on only with the very same. */
  lastBoot: z
    .object({
      accelerator,
      systemDisk: z.string(),
      cpus: z.int(),
      memoryBytes: z.int(),
      qemu: z.string(),
      takesShares: z.boolean().default(false),
    })
    .nullable()
    .default(null),
  isPaused: z.boolean().default(false),
});

export type QemuMemory = z.infer<typeof memorySchema>;
const noMemory: QemuMemory = { sshPort: null, repeatedBoots: 0, lastBoot: null, isPaused: false };

export function readMemory(memory: Readonly<Record<string, unknown>>): QemuMemory {
  const parsed = memorySchema.safeParse(memory);
  return parsed.success ? parsed.data : noMemory;
}
