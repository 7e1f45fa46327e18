import { z } from 'zod';

/** What the driver must know again of a machine. */
const memorySchema = z.object({
  /** As WSL knows it. */
  distribution: z.string().nullable(),
  /** Port of 127.0.0.1 that its SSH listens at, on both sides. */
  sshPort: z.int().min(1).max(65535).nullable(),
  /** The system disk that its files are of. */
  systemDisk: z.string().nullable(),
});

export type Wsl2Memory = z.infer<typeof memorySchema>;
const noMemory: Wsl2Memory = { distribution: null, sshPort: null, systemDisk: null };

export function readMemory(memory: Readonly<Record<string, unknown>>): Wsl2Memory {
  const parsed = memorySchema.safeParse(memory);
  return parsed.success ? parsed.data : noMemory;
}
