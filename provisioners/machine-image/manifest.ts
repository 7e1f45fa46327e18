import { z } from 'zod';
import { architectures } from './recipe.ts';

/** The files of an image, as they are called in its folder. */
export const imageFiles = ['kernel', 'initrd', 'system.erofs', 'boot.efi'] as const;
export type ImageFile = (typeof imageFiles)[number];

const fileSchema = z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), sizeBytes: z.int().positive() });

/** `manifest.json`: what lies beside it, and what it was made of. */
export const manifestSchema = z.object({
  format: z.literal(2),
  /** Hash of the recipe; the name of the image's folder. */
  recipe: z.string().regex(/^[0-9a-f]{16}$/),
  arch: z.enum(architectures),
  files: z.object({ kernel: fileSchema, initrd: fileSchema, 'system.erofs': fileSchema, 'boot.efi': fileSchema }),
  /** `name version` of each Debian package that was looked through, sorted. */
  packages: z.array(z.string()),
  node: z.object({ version: z.string(), sourceSha256: z.string() }),
  commandLine: z.string(),
});

export type Manifest = z.infer<typeof manifestSchema>;
