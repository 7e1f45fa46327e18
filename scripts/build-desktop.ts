import { existsSync, globSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { BuildOptions } from 'esbuild';

const root = path.resolve(import.meta.dirname, '..');

/** The page, into dist/renderer. Does nothing when no source has changed since. */
export async function buildRenderer(): Promise<void> {
  const stamp = path.join(root, 'dist/renderer/.sources');
  const sources = newest([
    'renderer/**/*.{ts,svelte,css,html,svg}',
    'desktop/{contract,wire}/**/*.ts',
    'package-lock.json',
  ]);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === sources) return;
  const { build } = await import('vite');
  await build({
    configFile: path.join(root, 'renderer/vite.config.ts'),
    root: path.join(root, 'renderer'),
    logLevel: 'warn',
  });
  writeFileSync(stamp, sources);
}

/** Main process, core and preload, into dist/electron. A sandboxed preload can be CommonJS alone. */
export async function buildElectron(): Promise<void> {
  const { build } = await import('esbuild');
  const common: BuildOptions = {
    bundle: true,
    platform: 'node',
    external: ['electron'],
    sourcemap: true,
    logLevel: 'warning',
    absWorkingDir: root,
  };
  // Packages stay where npm puts them, as in a packaged app: some (ssh2, koffi, esbuild) look for files beside their own.
  const esm: BuildOptions = {
    ...common,
    packages: 'external',
    format: 'esm',
    target: 'node24',
    outExtension: { '.js': '.mjs' },
  };
  await build({ ...esm, entryPoints: ['electron/main.ts', 'electron/core-process.ts'], outdir: 'dist/electron' });
  await build({
    ...common,
    format: 'cjs',
    target: 'node24',
    entryPoints: ['electron/preload.ts'],
    outdir: 'dist/electron',
    outExtension: { '.js': '.cjs' },
  });
}

/** Number of files and the latest change among them: cheap, and right for a checkout that one works in. */
function newest(patterns: readonly string[]): string {
  const files = patterns.flatMap((pattern) => globSync(pattern, { cwd: root }));
  return `${files.length} ${Math.max(...files.map((file) => statSync(path.join(root, file)).mtimeMs))}`;
}
