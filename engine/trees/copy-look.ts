import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { namesIn } from '../kernel/files.ts';
import { metadataOf } from '../layers/apply/metadata.ts';
import { setMetadataOf } from './open-file.ts';

/** Gives an empty folder (a trusted path) owner, mode, attributes and time of an open directory: copy-up where there is nothing to copy. */
export function copyLook(source: number, folder: string): void {
  const target = openSync(folder, constants.O_DIRECTORY);
  try {
    if (namesIn(target).length > 0) return;
    setMetadataOf(target, metadataOf(source, '.', fstatSync(source, { bigint: true })));
  } finally {
    closeSync(target);
  }
}
