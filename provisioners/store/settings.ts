import { join } from 'node:path';
import { z } from 'zod';
import type { ImageSource } from '../machine-image/machine-image.ts';
import { MachineError } from '../machines.ts';
import { readIfThere } from './atomic-file.ts';

/**
 * `<home>/settings.json`, what a person sets for all machines. Keys that are not known are refused by name: a setting
 * that is silently ignored is worse than none.
 *
 *     { "machineImage": { "url": "https://…/manifest.json", "sha256": "…" } }
 *
 * `machineImage`: where a release of the machine image lies, and the digest of its manifest; absent: the image is built here.
 */
const settingsSchema = z.strictObject({
  machineImage: z
    .strictObject({
      url: z.url({ protocol: /^https?$/ }),
      sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits'),
    })
    .optional(),
});

/** Throws `invalid-setting` naming the file and what is wrong in it. */
export async function readImageSource(home: string): Promise<ImageSource> {
  const file = join(home, 'settings.json');
  const text = await readIfThere(file);
  if (text === null) return { kind: 'build' };
  const { machineImage } = parse(file, text);
  return machineImage === undefined ? { kind: 'build' } : { kind: 'release', ...machineImage };
}

function parse(file: string, text: string): z.infer<typeof settingsSchema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new MachineError('invalid-setting', `${file} is no JSON: ${String(cause)}`, { cause });
  }
  const result = settingsSchema.safeParse(value);
  if (result.success) return result.data;
  throw new MachineError('invalid-setting', `${file}: ${z.prettifyError(result.error)}`);
}
