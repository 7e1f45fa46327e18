/**
 * A FAT32 volume that holds one file below folders, for firmware to read ("Microsoft EFI FAT32 File System Specification", 1.03).
 * Times, serial number and order are fixed: the same file gives the same bytes.
 */
const sectorBytes = 512;
const sectorsPerMiB = 2048;
const reservedSectors = 32;
/** With fewer clusters a volume is FAT16, whatever its header says. */
const leastClusters = 65_525;
const rootCluster = 2;
const endOfChain = 0x0fffffff;
/** 1980-01-01, the first day that FAT knows. */
const firstDay = 0x21;
const attributes = { volume: 0x08, folder: 0x10, file: 0x20 };

export interface FatVolume {
  /** Folders and name, each of at most 8 and 3 capital letters: `['EFI', 'BOOT', 'BOOTX64.EFI']`. */
  readonly path: readonly string[];
  readonly data: Buffer;
  /** Of the volume, on the disk. */
  readonly firstSector: number;
}

/** Whole mebibytes. A cluster is a sector: as many as FAT32 wants, in the least space. */
export function writeFatVolume({ path, data, firstSector }: FatVolume): Buffer {
  const folders = path.slice(0, -1);
  const fileClusters = Math.ceil(data.length / sectorBytes);
  const usedClusters = folders.length + 1 + fileClusters;
  const leastDataSectors = Math.max(leastClusters, usedClusters);
  // Whole mebibytes add clusters: the tables have room for those too.
  const fatSectors = Math.ceil(((leastDataSectors + sectorsPerMiB + rootCluster) * 4) / sectorBytes);
  const leastSectors = reservedSectors + 2 * fatSectors + leastDataSectors;
  const totalSectors = Math.ceil(leastSectors / sectorsPerMiB) * sectorsPerMiB;
  const dataSector = reservedSectors + 2 * fatSectors;
  const freeClusters = totalSectors - dataSector - usedClusters;
  const volume = Buffer.alloc(totalSectors * sectorBytes);
  const boot = bootSector({ totalSectors, fatSectors, firstSector });
  const information = informationSector({ freeClusters, nextFree: rootCluster + usedClusters });
  // The copies that firmware falls back to lie six sectors behind.
  for (const copy of [0, 6]) {
    boot.copy(volume, copy * sectorBytes);
    information.copy(volume, (copy + 1) * sectorBytes);
  }
  const placeOf = (cluster: number): number => (dataSector + cluster - rootCluster) * sectorBytes;
  const fileCluster = rootCluster + folders.length + 1;
  for (const [depth, name] of path.entries()) {
    const cluster = rootCluster + depth;
    const own =
      depth === 0
        ? [entry({ name: 'SKIFF', kind: 'volume', cluster: 0 })]
        : [
            entry({ name: '.', kind: 'folder', cluster }),
            // The root is 0 here, wherever it lies.
            entry({ name: '..', kind: 'folder', cluster: depth === 1 ? 0 : cluster - 1 }),
          ];
    const isFile = depth === path.length - 1;
    const child = isFile
      ? entry({ name, kind: 'file', cluster: fileCluster, sizeBytes: data.length })
      : entry({ name, kind: 'folder', cluster: cluster + 1 });
    Buffer.concat([...own, child]).copy(volume, placeOf(cluster));
  }
  data.copy(volume, placeOf(fileCluster));
  const fat = fatOf({ fatSectors, folderClusters: folders.length + 1, fileClusters });
  for (const copy of [0, 1]) fat.copy(volume, (reservedSectors + copy * fatSectors) * sectorBytes);
  return volume;
}

function bootSector(sizes: {
  readonly totalSectors: number;
  readonly fatSectors: number;
  readonly firstSector: number;
}): Buffer {
  const sector = Buffer.alloc(sectorBytes);
  sector.set([0xeb, 0x58, 0x90], 0);
  sector.write('MSWIN4.1', 3, 'latin1');
  sector.writeUInt16LE(sectorBytes, 11);
  sector.writeUInt8(1, 13); // sectors of a cluster
  sector.writeUInt16LE(reservedSectors, 14);
  sector.writeUInt8(2, 16); // tables
  sector.writeUInt8(0xf8, 21); // a fixed disk
  sector.writeUInt16LE(63, 24);
  sector.writeUInt16LE(255, 26);
  sector.writeUInt32LE(sizes.firstSector, 28);
  sector.writeUInt32LE(sizes.totalSectors, 32);
  sector.writeUInt32LE(sizes.fatSectors, 36);
  sector.writeUInt32LE(rootCluster, 44);
  sector.writeUInt16LE(1, 48); // information sector
  sector.writeUInt16LE(6, 50); // copy of this sector
  sector.writeUInt8(0x80, 64);
  sector.writeUInt8(0x29, 66);
  sector.writeUInt32LE(0x736b6966, 67);
  sector.write('SKIFF      FAT32   ', 71, 'latin1');
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

function informationSector({ freeClusters, nextFree }: { freeClusters: number; nextFree: number }): Buffer {
  const sector = Buffer.alloc(sectorBytes);
  sector.writeUInt32LE(0x41615252, 0);
  sector.writeUInt32LE(0x61417272, 484);
  sector.writeUInt32LE(freeClusters, 488);
  sector.writeUInt32LE(nextFree, 492);
  sector.writeUInt32LE(0xaa550000, 508);
  return sector;
}

/** Folders are a cluster each, the file is one chain behind them. */
function fatOf(sizes: {
  readonly fatSectors: number;
  readonly folderClusters: number;
  readonly fileClusters: number;
}): Buffer {
  const fat = Buffer.alloc(sizes.fatSectors * sectorBytes);
  fat.writeUInt32LE(0x0ffffff8, 0);
  fat.writeUInt32LE(endOfChain, 4);
  const fileAt = rootCluster + sizes.folderClusters;
  for (let cluster = rootCluster; cluster < fileAt; cluster++) fat.writeUInt32LE(endOfChain, cluster * 4);
  const last = fileAt + sizes.fileClusters - 1;
  for (let cluster = fileAt; cluster <= last; cluster++)
    fat.writeUInt32LE(cluster === last ? endOfChain : cluster + 1, cluster * 4);
  return fat;
}

function entry(of: {
  readonly name: string;
  readonly kind: keyof typeof attributes;
  readonly cluster: number;
  readonly sizeBytes?: number;
}): Buffer {
  const [stem = '', extension = ''] = of.name.startsWith('.') ? [of.name] : of.name.split('.');
  const bytes = Buffer.alloc(32);
  bytes.write(stem.padEnd(8) + extension.padEnd(3), 0, 'latin1');
  bytes.writeUInt8(attributes[of.kind], 11);
  for (const date of [16, 18, 24]) bytes.writeUInt16LE(firstDay, date);
  bytes.writeUInt16LE(of.cluster >>> 16, 20);
  bytes.writeUInt16LE(of.cluster & 0xffff, 26);
  bytes.writeUInt32LE(of.sizeBytes ?? 0, 28);
  return bytes;
}
