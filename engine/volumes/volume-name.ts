import { randomBytes } from 'node:crypto';
import { invalid } from '../model/errors.ts';

const validName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** A name is a folder's name too: what passes here cannot lead anywhere. Throws `invalid` in docker's words. */
export function assertVolumeName(name: string): void {
  if (name.length === 1)
    throw invalid(`create ${name}: volume name is too short, names should be at least two alphanumeric characters`);
  if (!validName.test(name)) {
    throw invalid(
      `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    );
  }
  if (name.length > 255) throw invalid(`create ${name}: a volume name has at most 255 characters`);
}

export function madeUpVolumeName(): string {
  return randomBytes(32).toString('hex');
}
