import { z } from 'zod';
import { remembered } from '../vm/remembered.ts';

/** What the driver must know again of a machine. */
const memorySchema = z.object({
  /** As Hyper-V knows the machine. */
  vmId: z.guid().nullable(),
  /** IPv4 address that its SSH was last reached at. */
  address: z.ipv4().nullable(),
  /** The image that its system disk was made from. */
  systemDisk: z.string().nullable(),
  /** What it was given when it was last booted. */
  lastBoot: z.object({ cpus: z.int(), memoryBytes: z.int(), virtualSwitch: z.string() }).nullable(),
});

export const readMemory = remembered(memorySchema, { vmId: null, address: null, systemDisk: null, lastBoot: null });

/** Locally administered, so that it is none of those that Hyper-V gives out itself: `02-1A-…`. */
export function macOf(id: string): string {
  const bytes = id.slice(0, 10).match(/../g) ?? [];
  return ['02', ...bytes].join('-').toUpperCase();
}
