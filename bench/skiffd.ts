import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { engineNodeFlags } from '../provisioners/deploy/run-script.ts';
import { buildEngineRelease } from '../provisioners/index.ts';
import { startEngine } from '../test/engine/start-engine.ts';
import { engineVersion } from '../engine/version.ts';
import type { Contender } from './contender.ts';

const checkout = path.resolve(import.meta.dirname, '..');

/** skiffd of this checkout, bundled as it is deployed, on roots of its own. */
export async function startSkiffd(): Promise<Contender> {
  const folder = path.join(checkout, 'dist/engine');
  await buildEngineRelease({ checkout, arch: process.arch === 'arm64' ? 'arm64' : 'x64', folder });
  const engine = await startEngine({ program: path.join(folder, 'files/skiffd.js'), nodeFlags: engineNodeFlags });
  return {
    name: 'skiffd',
    version: engineVersion,
    socket: engine.socket,
    pids: () => [engine.pid(), ...companions(engine.execRoot).filter((pid) => pid !== engine.pid())],
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

/** Processes that name the engine's exec root on their command line: its monitor, its name server. */
function companions(execRoot: string): readonly number[] {
  return globSync('/proc/[0-9]*/cmdline').flatMap((file) => {
    try {
      const words = readFileSync(file, 'utf8');
      return words.includes(execRoot) && /node\0|skiff/.test(words) ? [Number(file.split('/')[2])] : [];
    } catch {
      return []; // ended between the listing and the look
    }
  });
}
