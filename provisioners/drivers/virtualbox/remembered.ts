import { z } from 'zod';
import { remembered } from '../vm/remembered.ts';

/** What the driver must know again of a machine. */
const memorySchema = z.object({
  /** As VirtualBox knows the machine. */
  uuid: z.guid().nullable(),
  /** Port of 127.0.0.1 that leads to the machine's SSH. */
  sshPort: z.int().min(1).max(65535).nullable(),
  /** The image that its system disk was made from. */
  systemDisk: z.string().nullable(),
});

export const readMemory = remembered(memorySchema, { uuid: null, sshPort: null, systemDisk: null });

/** The machine's own id as a UUID: VirtualBox takes it, so a machine is found again whatever is forgotten. */
export function uuidOf(id: string): string {
  const hex = id.slice(0, 32);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
