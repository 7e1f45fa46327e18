import path from 'node:path';
import { releaseVariable } from './start-engine.ts';

/** What works on layers, as the tests' set-up bundled it: each start takes a fourth of the processor time of its sources. Outside of the tests nothing. */
export function bundledLayerPrograms(): { readonly programs?: { readonly unpack: string; readonly tar: string } } {
  const release = process.env[releaseVariable];
  if (release === undefined) return {};
  const programOf = (name: string): string => path.join(release, `layers-${name}.worker.js`);
  return { programs: { unpack: programOf('unpack'), tar: programOf('tar') } };
}
