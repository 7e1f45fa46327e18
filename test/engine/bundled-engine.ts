import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { buildEngineRelease } from '../../provisioners/index.ts';
import { lacking } from '../skip.ts';
import { Boxes } from './box.ts';
import { copyDataRoot } from './first-data-root.ts';
import { firstDataRootVariable, releaseVariable, startEngine } from './start-engine.ts';

/**
 * Set-up of a run of the kernel suites: the engine is bundled once, as it is deployed. It begins and ends with half the
 * processor time of its sources, some three hundred times in a run. What its first start makes is made once, too.
 */
export default async function setup(): Promise<() => void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'skiff-release-'));
  const checkout = path.resolve(import.meta.dirname, '../..');
  await buildEngineRelease({ checkout, arch: process.arch === 'arm64' ? 'arm64' : 'x64', folder: `${folder}/release` });
  process.env[releaseVariable] = `${folder}/release/files`;
  // Programs in Go (docker, dockerd, registries) spend a tenth of their processor time on spreading what they do over more.
  process.env['GOMAXPROCS'] ??= '1';
  if (lacking(['linux', 'root', { program: 'crun' }]) === null) {
    await makeFirstDataRoot(`${folder}/data`);
    process.env[firstDataRootVariable] = `${folder}/data`;
  }
  return () => rmSync(folder, { recursive: true, force: true });
}

/** Settings that are the same for every engine of a computer; all others are one engine's own. */
const shared = ['crun', 'hello-image'];

/** Makes `folder` a data root as it is after a first container; no engine has it for its own yet. */
async function makeFirstDataRoot(folder: string): Promise<void> {
  await using engine = await startEngine();
  const { exitCode, output } = await new Boxes(engine.socket).run('true');
  if (exitCode !== 0) throw new Error(`the first container ended with ${exitCode}: ${output}\n${engine.log()}`);
  await engine.stop();
  copyDataRoot(engine.dataRoot, folder);
  using database = new DatabaseSync(path.join(folder, 'engine.db'));
  database.prepare('DELETE FROM settings WHERE key NOT IN (?, ?)').run(...shared);
}
