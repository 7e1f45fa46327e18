import { z } from 'zod';
import type { DriverMachine } from '../driver.ts';

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

export type HypervMemory = z.infer<typeof memorySchema>;
const noMemory: HypervMemory = { vmId: null, address: null, systemDisk: null, lastBoot: null };

export function readMemory(memory: Readonly<Record<string, unknown>>): HypervMemory {
  const parsed = memorySchema.safeParse(memory);
  return parsed.success ? parsed.data : noMemory;
}

/**
 * Hyper-V gives machines ids of its own and lets many have one name, so the name carries what they are found again by: it is all that
 * stands with a machine from the moment that it is made. Hyper-V's files carry it too, in paths of at most 260
 * letters, so that of a long name of ours only the begin is in it.
 */
export function vmNameOf({ name, owner, id }: Pick<DriverMachine, 'name' | 'owner' | 'id'>): string {
  return `skiff-${name.slice(0, 24)}-${owner}-${id}`;
}

export function parseVmName(vmName: string): { readonly owner: string; readonly machineId: string } | null {
  const [, owner, machineId] = /^skiff-.+-([0-9a-f]{16})-([0-9a-f]{32})$/.exec(vmName) ?? [];
  return owner === undefined || machineId === undefined ? null : { owner, machineId };
}

/** Locally administered, so that it is none of those that Hyper-V gives out itself: `02-1A-…`. */
export function macOf(id: string): string {
  const bytes = id.slice(0, 10).match(/../g) ?? [];
  return ['02', ...bytes].join('-').toUpperCase();
}
