import type { SkiffDisk } from '../../api/skiff.ts';
import { formatSize } from './sizes.ts';
import { tableLines } from './table.ts';

/**
 * What `system df` prints on Skiff's engine: bytes of the file system, everything below the data root, so that the lines add up to what `du`
 * and `df` say there. docker's form counts files of layers alone, and is printed where a format is asked for.
 */
export function diskLines(disk: SkiffDisk): string[] {
  const { images, containers, volumes, compressedCopies, unfinishedDownloads, engine } = disk;
  const rows: readonly Line[] = [
    { type: 'Images', total: images.items.length, active: images.items.filter((one) => one.containers > 0).length, ...images },
    { type: 'Containers', total: containers.items.length, active: containers.items.filter(({ isRunning }) => isRunning).length, ...containers },
    { type: 'Local Volumes', total: volumes.items.length, active: volumes.items.filter((one) => one.containers > 0).length, ...volumes },
    { type: 'Compressed copies', total: compressedCopies.count, active: null, ...compressedCopies },
    { type: 'Unfinished downloads', total: unfinishedDownloads.count, active: null, ...unfinishedDownloads },
    { type: 'Engine', total: null, active: null, bytes: engine.bytes, reclaimableBytes: 0 },
  ]; // prettier-ignore
  const all = rows.reduce((sum, { reclaimableBytes }) => sum + reclaimableBytes, 0);
  const used = `${formatSize(disk.freeBytes, 4)} of ${formatSize(disk.capacityBytes, 4)} free`;
  return [
    ...tableLines([
      ['TYPE', 'TOTAL', 'ACTIVE', 'SIZE', 'RECLAIMABLE'],
      ...rows.map(cellsOf),
      ['All', '', '', formatSize(disk.totalBytes, 4), shareOf(all, disk.totalBytes)],
    ]).map((line) => line.trimEnd()),
    '',
    `${used} on the disk of the engine`,
    ...(images.orphanBytes > 0
      ? [`${formatSize(images.orphanBytes, 4)} of the images are layers that only containers still need`]
      : []),
    ...(compressedCopies.reclaimableBytes + unfinishedDownloads.reclaimableBytes > 0
      ? ['Copies and downloads are kept for speed alone: "skiff system reclaim" gives them back']
      : []),
  ];
}

interface Line {
  readonly type: string;
  readonly total: number | null;
  readonly active: number | null;
  readonly bytes: number;
  readonly reclaimableBytes: number;
}

function cellsOf({ type, total, active, bytes, reclaimableBytes }: Line): readonly string[] {
  const count = (value: number | null): string => (value === null ? '' : String(value));
  return [type, count(total), count(active), formatSize(bytes, 4), shareOf(reclaimableBytes, bytes)];
}

function shareOf(part: number, whole: number): string {
  return formatSize(part, 4) + (whole > 0 ? ` (${Math.trunc((part * 100) / whole)}%)` : '');
}

/** `system df --verbose`: the things one by one, the largest first. */
export function diskDetailLines({ images, containers, volumes }: SkiffDisk): string[] {
  const size = (bytes: number): string => formatSize(bytes, 4);
  const largestFirst = <T extends { readonly bytes: number }>(items: readonly T[]): readonly T[] =>
    [...items].sort((a, b) => b.bytes - a.bytes);
  return [
    'Images:',
    '',
    ...tableLines([
      ['IMAGE', 'IMAGE ID', 'LAYERS', 'SIZE', 'SHARED', 'UNIQUE', 'RECLAIMABLE', 'CONTAINERS'],
      ...largestFirst(images.items).map((one) => [
        one.names.length === 0 ? '<none>' : one.names.join(', '),
        one.id.replace(/^sha256:/, '').slice(0, 12),
        String(one.layers),
        ...[one.bytes, one.sharedBytes, one.uniqueBytes, one.reclaimableBytes].map(size),
        String(one.containers),
      ]),
    ]),
    '',
    'Containers:',
    '',
    ...tableLines([
      ['CONTAINER', 'CONTAINER ID', 'STATE', 'SIZE', 'FILES', 'LOGS', 'SNAPSHOTS', 'OTHER', 'RECLAIMABLE'],
      ...largestFirst(containers.items).map((one) => [
        one.name,
        one.id.slice(0, 12),
        one.isRunning ? 'running' : 'stopped',
        ...[one.bytes, one.writtenBytes, one.logBytes, one.snapshotBytes, one.otherBytes, one.reclaimableBytes].map(
          size,
        ),
      ]),
    ]),
    '',
    'Local Volumes:',
    '',
    ...tableLines([
      ['VOLUME NAME', 'CONTAINERS', 'SIZE', 'RECLAIMABLE'],
      ...largestFirst(volumes.items).map((one) => [
        one.name,
        String(one.containers),
        size(one.bytes),
        size(one.reclaimableBytes),
      ]),
    ]),
  ];
}
