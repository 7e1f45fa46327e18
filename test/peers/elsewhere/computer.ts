import { z } from 'zod';

/** A computer as programs of this folder are told of it, in JSON. */
const elsewhere = z.object({
  computer: z.object({ platform: z.enum(['linux', 'darwin', 'win32']), arch: z.enum(['x64', 'arm64']) }),
  /** Folder of the engine releases for its machines, by their processor. */
  releases: z.string(),
});

export type Elsewhere = z.infer<typeof elsewhere>;

export function parseElsewhere(text: string): Elsewhere {
  return elsewhere.parse(JSON.parse(text));
}
