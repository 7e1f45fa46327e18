import path from 'node:path';
import { invalid } from '../../../model/errors.ts';

export const propagations = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'];

/** Normal, absolute, not the root. `type` and `text`: what the error names. */
export function mountTarget(target: string, type?: string, text?: string): string {
  const where = text === undefined ? '' : `invalid volume specification: '${text}': `;
  const what = type === undefined ? '' : `invalid mount config for type "${type}": `;
  if (!path.posix.isAbsolute(target))
    throw invalid(`${where}${what}invalid mount path: '${target}' mount path must be absolute`);
  const normal = path.posix.normalize(target).replace(/(.)\/$/, '$1');
  if (normal === '/') throw invalid(`${where}${what}invalid specification: destination can't be '/'`);
  return normal;
}
