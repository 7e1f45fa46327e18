import { z } from 'zod';
import { remembered } from '../vm/remembered.ts';

/** What the driver must know again of a machine. */
const memorySchema = z.object({
  /** As WSL knows it. */
  distribution: z.string().nullable(),
  /** Port of 127.0.0.1 that its SSH listens at, on both sides. */
  sshPort: z.int().min(1).max(65535).nullable(),
  /** The system disk that its files are of. */
  systemDisk: z.string().nullable(),
});

export const readMemory = remembered(memorySchema, { distribution: null, sshPort: null, systemDisk: null });
