/** `npm run build`: everything that a release is made of, into dist/: page, Electron programs, command, engine bundles. */
import path from 'node:path';
import { buildEngineRelease } from '../provisioners/index.ts';
import { buildCli } from './build-cli.ts';
import { buildElectron, buildRenderer } from './build-desktop.ts';

const checkout = path.resolve(import.meta.dirname, '..');

await buildRenderer();
await buildElectron();
await buildCli();
const { manifest } = await buildEngineRelease({
  checkout,
  arch: process.arch === 'arm64' ? 'arm64' : 'x64',
  folder: path.join(checkout, 'dist/engine'),
});
console.log(`built dist/renderer, dist/electron, dist/cli, dist/engine (${manifest.files.length} files)`);
