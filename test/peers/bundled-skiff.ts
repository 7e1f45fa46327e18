import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildCli } from '../../scripts/build-cli.ts';
import { bundledSkiffVariable } from './program.ts';

/**
 * Set-up of every run: the `skiff` command is bundled once, as it is released. It starts with half the processor time of
 * its sources, some four hundred times in a run.
 */
export default async function setup(): Promise<() => void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'skiff-built-'));
  await buildCli(folder);
  process.env[bundledSkiffVariable] = path.join(folder, 'skiff.cjs');
  // Else each test's SKIFF_HOME, which is new, would get compiled code of its own, and starts would not share it.
  process.env['NODE_COMPILE_CACHE'] ??= path.join(folder, 'compiled');
  return () => rmSync(folder, { recursive: true, force: true });
}
