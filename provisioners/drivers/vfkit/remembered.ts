import { z } from 'zod';
import { remembered } from '../vm/remembered.ts';

/** What the driver must know again of a machine. */
const memorySchema = z.object({
  /** Where it was found at its last start. */
  address: z.ipv4().nullable(),
  /** The image that its system disk was copied from. */
  systemDisk: z.string().nullable(),
});

export const readMemory = remembered(memorySchema, { address: null, systemDisk: null });
