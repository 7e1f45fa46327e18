/** An overlay's upper folder as a layer's tar: whiteouts as the OCI image spec writes them (layer.md, "Whiteouts"). */
import { closeSync, constants, openSync } from 'node:fs';
import { attributeAt, attributeKeysAt } from '../kernel/files.ts';
import { isWhiteout, opaqueAttribute } from '../layers/apply/layer-folder.ts';
import { isOverlayAttribute } from '../layers/apply/metadata.ts';
import { encodeEntry, endOfArchive } from '../../api/tar/writer.ts';
import type { Held } from './open-file.ts';
import { packTree } from './pack.ts';

export function* packChanges(upper: string): Generator<Buffer, void, void> {
  const directory = openSync(upper, constants.O_DIRECTORY);
  try {
    yield* packTree({ directory, name: '.' }, '', { attributesOf, instead: whiteoutInstead, behind: opaqueMark });
    yield endOfArchive;
  } finally {
    closeSync(directory);
  }
}

function whiteoutInstead({ stats }: Held, name: string): Buffer | null {
  if (!isWhiteout(stats)) return null;
  const at = name.lastIndexOf('/') + 1;
  return encodeEntry({ kind: 'file', name: Buffer.from(`${name.slice(0, at)}.wh.${name.slice(at)}`, 'latin1') });
}

/** All that lower layers have in a directory is hidden: an entry in it says so. */
function opaqueMark(directory: number, prefix: string): Buffer | null {
  if (attributeAt(directory, '.', opaqueAttribute.key)?.equals(opaqueAttribute.value) !== true) return null;
  return encodeEntry({ kind: 'file', name: Buffer.from(`${prefix}.wh..wh..opq`, 'latin1') });
}

function attributesOf(directory: number, name: string): ReadonlyMap<string, Buffer> {
  const values = new Map<string, Buffer>();
  for (const key of attributeKeysAt(directory, name)) {
    const value = isOverlayAttribute(key) ? null : attributeAt(directory, name, key);
    if (value !== null) values.set(key, value);
  }
  return values;
}
