import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Plugin } from 'esbuild';

const root = path.resolve(import.meta.dirname, '..');

/**
 * The `skiff` command in one CommonJS file, dist/cli/skiff.cjs: it starts with half the processor time of the sources. The machines' code
 * is not in it: that is large, looks for files beside its own, and is loaded for `skiff machine` alone.
 */
export async function buildCli(folder = path.join(root, 'dist/cli')): Promise<void> {
  const { build } = await import('esbuild');
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
  await build({
    entryPoints: ['cli/main.ts'],
    outfile: path.join(folder, 'main.cjs'),
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    minifySyntax: true,
    minifyWhitespace: true,
    define: { SKIFF_VERSION: JSON.stringify(version), 'import.meta.dirname': '__dirname' },
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [machinesOutside(folder)],
  });
  // Compiled code is kept in the home of who runs it: compiling costs more than all that `skiff ps` does.
  writeFileSync(
    path.join(folder, 'skiff.cjs'),
    `#!/usr/bin/env -S node --
const { join } = require('node:path');
const home = process.env.SKIFF_HOME || join(require('node:os').homedir(), '.skiff');
require('node:module').enableCompileCache(join(home, 'cache', 'compiled'));
require('./main.cjs');
`,
    { mode: 0o755 },
  );
}

function machinesOutside(folder: string): Plugin {
  return {
    name: 'machines-outside',
    setup(builder) {
      builder.onResolve({ filter: /\/provisioners\/index\.ts$/ }, ({ path: name, resolveDir }) => ({
        path: path.relative(folder, path.resolve(resolveDir, name)).replaceAll(path.sep, '/'),
        external: true,
      }));
    },
  };
}
