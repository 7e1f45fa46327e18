import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { readIfThere, writeFileAtomic } from '../../store/atomic-file.ts';

/**
 * A disk of VMware whose content is a raw file beside it (`monolithicFlat`, "Virtual Disk Format 5.0"): this descriptor is all that VMware
 * needs, so disks are made, grown and copied as raw files, without its tools.
 */
export function writeDescriptor(disk: { readonly rawName: string; readonly sectors: number }): string {
  const { rawName, sectors } = disk;
  const [heads, perTrack] = sectors < 2 ** 21 ? [64, 32] : [255, 63];
  const cylinders = Math.max(1, Math.floor(sectors / (heads * perTrack)));
  return [
    '# Disk DescriptorFile',
    'version=1',
    'encoding="UTF-8"',
    'CID=fffffffe',
    'parentCID=ffffffff',
    'createType="monolithicFlat"',
    '',
    '# Extent description',
    `RW ${sectors} FLAT "${rawName}" 0`,
    '',
    '# The Disk Data Base',
    '#DDB',
    '',
    'ddb.adapterType = "lsilogic"',
    `ddb.geometry.cylinders = "${cylinders}"`,
    `ddb.geometry.heads = "${heads}"`,
    `ddb.geometry.sectors = "${perTrack}"`,
    'ddb.virtualHWVersion = "18"',
    '',
  ].join('\n');
}

/** Has `path` describe the raw file `raw`, in the same folder, as large as that is now. VMware's own notes in it are kept while it is. */
export async function describeRaw(raw: string, path: string): Promise<void> {
  const sectors = (await stat(raw)).size / 512;
  const extent = `RW ${sectors} FLAT "${basename(raw)}" 0`;
  if ((await readIfThere(path))?.split(/\r?\n/).includes(extent)) return;
  await writeFileAtomic(path, writeDescriptor({ rawName: basename(raw), sectors }));
}
