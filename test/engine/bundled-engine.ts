import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildEngineRelease } from '../../provisioners/index.ts';
import { releaseVariable } from './start-engine.ts';

/**
 * Set-up of a run of the kernel suites: the engine is bundled once, as it is deployed. It begins and ends with half the
 * processor time of its sources, some three hundred times in a run.
 */
export default async function setup(): Promise<() => void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'skiff-release-'));
  const checkout = path.resolve(import.meta.dirname, '../..');
  await buildEngineRelease({ checkout, arch: process.arch === 'arm64' ? 'arm64' : 'x64', folder: `${folder}/release` });
  process.env[releaseVariable] = `${folder}/release/files`;
  return () => rmSync(folder, { recursive: true, force: true });
}
