import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freshEngineRelease } from '../deploy/build-release.ts';
import type { WantedNode } from '../deploy/deploy-engine.ts';
import type { EngineRelease, ReleaseArchitecture } from '../deploy/engine-release.ts';
import { readEngineRelease } from '../deploy/engine-release.ts';
import { checkoutNodeVersion, provideNodeBinary, sha256OfFile } from '../machine-image/node-runtime.ts';
import type { Architecture } from '../machine-image/recipe.ts';
import { MachineError } from '../machines.ts';

/** Where the engine comes from that machines get. */
export type EngineSource =
  /** Bundled from a checkout when its sources have changed. */
  | { readonly kind: 'checkout'; readonly root: string }
  /** Finished releases, `<folder>/<arch>/manifest.json`, as a packaged app carries them. */
  | { readonly kind: 'releases'; readonly folder: string };

/** The checkout that this file lies in. */
export function ownCheckout(): EngineSource | null {
  const root = fileURLToPath(new URL('../../', import.meta.url)).replace(/[\\/]$/, '');
  return existsSync(join(root, 'engine')) ? { kind: 'checkout', root } : null;
}

export async function openRelease(
  source: EngineSource | null,
  options: { readonly cacheDir: string; readonly arch: ReleaseArchitecture },
): Promise<EngineRelease> {
  const { cacheDir, arch } = options;
  if (source === null)
    throw new MachineError('deploy-failed', 'This Skiff carries no engine to deploy; install it again');
  switch (source.kind) {
    case 'checkout': {
      // A folder for each checkout: they would take each other's away while it is being sent.
      const { root } = source;
      const name = `${arch}-${createHash('sha256').update(root).digest('hex').slice(0, 12)}`;
      return freshEngineRelease({ checkout: root, arch, folder: join(cacheDir, 'engine-releases', name) });
    }
    case 'releases':
      return readEngineRelease(join(source.folder, arch));
  }
}

/** The Node runtime for a Linux that has none of ours: this checkout's own where it fits, else npm's package for that processor. */
export async function openRuntime(
  source: EngineSource | null,
  options: { readonly cacheDir: string; readonly arch: Architecture },
): Promise<WantedNode> {
  if (source?.kind !== 'checkout')
    throw new MachineError(
      'deploy-failed',
      'This Skiff carries no Node runtime for hosts that are not its own machines; use a checkout of Skiff for them',
    );
  const version = await checkoutNodeVersion();
  const file = await provideNodeBinary({ version, ...options });
  return { version, sha256: await sha256OfFile(file), file: () => Promise.resolve(file) };
}
