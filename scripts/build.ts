/** `npm run build`: everything that a release is made of, into dist/: page, Electron programs, engine bundles. */
import path from 'node:path';
import { buildEngineRelease } from '../provisioners/index.ts';
import { buildElectron, buildRenderer } from './build-desktop.ts';

const checkout = path.resolve(import.meta.dirname, '..');

await buildRenderer();
await buildElectron();
const { manifest } = await buildEngineRelease({
  checkout,
  arch: process.arch === 'arm64' ? 'arm64' : 'x64',
  folder: path.join(checkout, 'dist/engine'),
});
console.log(`built dist/renderer, dist/electron, dist/engine (${manifest.files.length} files)`);
