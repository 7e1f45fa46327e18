import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Plugin } from 'esbuild';
import { inject } from 'vitest';
import type { TestProject } from 'vitest/node';
import type { AgentProgram } from '../../provisioners/machines/agent-process.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Folder of the programs that are bundled here. */
    readonly machinePrograms: string;
  }
}

const checkout = fileURLToPath(new URL('../../', import.meta.url));
const programs = {
  skiff: fileURLToPath(new URL('../../cli/main.ts', import.meta.url)),
  hostAgent: fileURLToPath(new URL('../../provisioners/host-agent/main.ts', import.meta.url)),
  skiffElsewhere: fileURLToPath(new URL('../peers/elsewhere/skiff.ts', import.meta.url)),
  hostAgentElsewhere: fileURLToPath(new URL('../peers/elsewhere/host-agent/main.ts', import.meta.url)),
};

/**
 * Set-up of a run of the chain suites: what they start again and again to make machines is bundled once, each program into one file. It
 * starts with half the processor time of its sources.
 */
export default async function setup({ provide }: TestProject): Promise<() => void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'skiff-machines-'));
  const { build } = await import('esbuild');
  await build({
    entryPoints: Object.values(programs),
    outdir: folder,
    outbase: checkout,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    logLevel: 'warning',
    // Native parts that ssh2 does without.
    external: ['*.node', 'cpu-features'],
    plugins: [asInCheckout(folder)],
  });
  provide('machinePrograms', folder);
  return () => rmSync(folder, { recursive: true });
}

/** `skiff`, machines and all, on this computer or on one of another kind (test/peers/elsewhere). */
export function bundledSkiff(where: 'here' | 'elsewhere'): string {
  return bundleOf(where === 'here' ? programs.skiff : programs.skiffElsewhere, inject('machinePrograms'));
}

/** Of `openMachines`. */
export function bundledAgent(): AgentProgram {
  const bundle = bundleOf(programs.hostAgent, inject('machinePrograms'));
  return { command: process.execPath, arguments: [bundle], environment: {} };
}

function bundleOf(program: string, folder: string): string {
  return path.join(folder, path.relative(checkout, program).replace(/\.ts$/, '.cjs'));
}

/** What sources find beside themselves they find in the checkout still, and the bundles of the programs that they start. */
function asInCheckout(folder: string): Plugin {
  return {
    name: 'as-in-checkout',
    setup(builder) {
      const esbuild = createRequire(import.meta.url).resolve('esbuild');
      builder.onResolve({ filter: /^esbuild$/ }, () => ({ path: esbuild, external: true }));
      builder.onLoad({ filter: /\.ts$/ }, async ({ path: source }) => {
        const text = await readFile(source, 'utf8');
        const contents = text
          .replaceAll(/new URL\('(\.[^']+)', import\.meta\.url\)/g, (whole, name: string) => {
            const program = path.join(path.dirname(source), name);
            if (!Object.values(programs).includes(program)) return whole;
            return `new URL(${JSON.stringify(pathToFileURL(bundleOf(program, folder)).href)})`;
          })
          .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(source).href))
          .replaceAll('import.meta.dirname', JSON.stringify(path.dirname(source)));
        return { contents, loader: 'ts' };
      });
    },
  };
}
