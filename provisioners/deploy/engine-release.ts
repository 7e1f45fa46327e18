import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { MachineError } from '../machines.ts';

/**
 * A release of the engine: a folder with `manifest.json` and, below `files/`, what has to lie in a machine. Its digest
 * is made of the digests of its files, so two computers that bundle the same sources mean the same release.
 */
export const releaseArchitectures = ['x64', 'arm64'] as const;
export type ReleaseArchitecture = (typeof releaseArchitectures)[number];

const fileSchema = z.object({
  /** Relative to `files/`, with `/`. */
  path: z.string().regex(/^(?!\/)(?!.*(^|\/)\.\.(\/|$))[A-Za-z0-9@._/-]+$/),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  sizeBytes: z.int().nonnegative(),
});

const manifestSchema = z.object({
  format: z.literal(1),
  /** What `/version` of this engine answers. */
  engineVersion: z.string(),
  arch: z.enum(releaseArchitectures),
  files: z.array(fileSchema).min(1),
});

export type ReleaseFile = z.infer<typeof fileSchema>;
export type ReleaseManifest = z.infer<typeof manifestSchema>;

export interface EngineRelease {
  /** Folder of the files themselves. */
  readonly filesFolder: string;
  readonly manifest: ReleaseManifest;
  /** Hex SHA-256 over the manifest. */
  readonly digest: string;
}

/** Program of the release that is the engine. */
export const engineProgram = 'skiffd.js';

export async function readEngineRelease(folder: string): Promise<EngineRelease> {
  const path = join(folder, 'manifest.json');
  try {
    return engineRelease(folder, manifestSchema.parse(JSON.parse(await readFile(path, 'utf8'))));
  } catch (cause) {
    throw new MachineError(
      'deploy-failed',
      `There is no engine release in ${folder}; run \`npm run build\` or install Skiff again`,
      { cause },
    );
  }
}

export function engineRelease(folder: string, manifest: ReleaseManifest): EngineRelease {
  return { filesFolder: join(folder, 'files'), manifest, digest: manifestDigest(manifest) };
}

function manifestDigest(manifest: ReleaseManifest): string {
  const files = manifest.files.map(({ path, sha256 }) => `${path} ${sha256}`).sort();
  return createHash('sha256')
    .update(JSON.stringify([manifest.engineVersion, manifest.arch, files]))
    .digest('hex');
}
