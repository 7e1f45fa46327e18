import type { DiskUsage } from '../../api/system.ts';
import { containerFormat, containerRow } from './containers.ts';
import { imageFormat, imageRows } from './images.ts';
import { rowJson } from './rows.ts';
import type { RowFormat } from './rows.ts';
import { formatSize } from './sizes.ts';
import { tableLines } from './table.ts';
import { humanDuration } from './times.ts';
import { volumeFormat, volumeRow } from './volumes.ts';

type UsageField = 'Active' | 'Reclaimable' | 'Size' | 'TotalCount' | 'Type';
type UsageRow = Readonly<Record<UsageField, string>>;

export const usageFormat: RowFormat<UsageField> = {
  titles: { Active: 'ACTIVE', Reclaimable: 'RECLAIMABLE', Size: 'SIZE', TotalCount: 'TOTAL', Type: 'TYPE' },
  table: ['Type', 'TotalCount', 'Active', 'Size', 'Reclaimable'],
  quiet: 'Type',
};

const inUse: readonly string[] = ['running', 'paused', 'restarting'];

/** The four lines of `system df`. */
export function usageRows(usage: DiskUsage): UsageRow[] {
  const { LayersSize = 0 } = usage;
  const images = usage.Images ?? [];
  const containers = usage.Containers ?? [];
  const volumes = usage.Volumes ?? [];
  const cache = usage.BuildCache ?? [];
  const used = images.filter(({ Containers, Size, SharedSize }) => Containers !== 0 && Size >= 0 && SharedSize >= 0);
  const idle = containers.filter(({ State }) => !inUse.includes(State));
  const measured = volumes.filter(({ UsageData }) => (UsageData?.Size ?? -1) >= 0);
  const volumeSize = sum(measured, ({ UsageData }) => UsageData?.Size ?? 0);
  const unused = measured.filter(({ UsageData }) => UsageData?.RefCount === 0);
  const own = cache.filter(({ Shared }) => !Shared);
  return [
    row('Images', images.length, images.filter(({ Containers }) => Containers > 0).length, {
      size: LayersSize,
      reclaimable: LayersSize - sum(used, ({ Size, SharedSize }) => Size - SharedSize),
    }),
    row('Containers', containers.length, containers.length - idle.length, {
      size: sum(containers, ({ SizeRw }) => SizeRw ?? 0),
      reclaimable: sum(idle, ({ SizeRw }) => SizeRw ?? 0),
    }),
    row('Local Volumes', volumes.length, volumes.filter(({ UsageData }) => (UsageData?.RefCount ?? 0) > 0).length, {
      size: volumeSize,
      reclaimable: sum(unused, ({ UsageData }) => UsageData?.Size ?? 0),
    }),
    {
      ...row('Build Cache', cache.length, cache.filter(({ InUse }) => InUse).length, { size: sum(own, ({ Size }) => Size), reclaimable: 0 }),
      Reclaimable: formatSize(sum(own.filter(({ InUse }) => !InUse), ({ Size }) => Size), 4),
    },
  ]; // prettier-ignore
}

function row(
  type: string,
  total: number,
  active: number,
  { size, reclaimable }: { readonly size: number; readonly reclaimable: number },
): UsageRow {
  const share = size > 0 ? ` (${Math.trunc((reclaimable * 100) / size)}%)` : '';
  return {
    Type: type,
    TotalCount: String(total),
    Active: String(active),
    Size: formatSize(size, 4),
    Reclaimable: formatSize(reclaimable, 4) + share,
  };
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

/** `system df --verbose`: every image, container, volume and piece of build cache. */
export function verboseUsageLines(usage: DiskUsage, nowMs: number): string[] {
  const options = { length: 'short', nowMs } as const;
  const imageColumns = [
    'Repository',
    'Tag',
    'ID',
    'CreatedSince',
    'Size',
    'SharedSize',
    'UniqueSize',
    'Containers',
  ] as const;
  const containerColumns = ['ID', 'Image', 'Command', 'LocalVolumes', 'Size', 'RunningFor', 'Status', 'Names'] as const;
  const volumeColumns = ['Name', 'Links', 'Size'] as const;
  const cache = usage.BuildCache ?? [];
  return [
    'Images space usage:',
    '',
    ...tableLines([
      imageColumns.map((field) => imageFormat.titles[field]),
      ...(usage.Images ?? []).flatMap((image) => imageRows(image, options)).map((values) => imageColumns.map((field) => values[field])),
    ]),
    '',
    'Containers space usage:',
    '',
    ...tableLines([
      containerColumns.map((field) => containerFormat.titles[field]),
      ...(usage.Containers ?? []).map((container) => {
        // The image's size stands with the image.
        const { SizeRootFs: _whole, ...rest } = container;
        const values = containerRow(rest, options);
        return containerColumns.map((field) => values[field]);
      }),
    ]),
    '',
    'Local Volumes space usage:',
    '',
    ...tableLines([
      volumeColumns.map((field) => volumeFormat.titles[field]),
      ...(usage.Volumes ?? []).map((volume) => {
        const values = volumeRow(volume);
        return volumeColumns.map((field) => values[field]);
      }),
    ]),
    '',
    `Build cache usage: ${formatSize(sum(cache.filter(({ Shared }) => !Shared), ({ Size }) => Size), 4)}`,
    '',
    ...tableLines([
      ['CACHE ID', 'CACHE TYPE', 'SIZE', 'CREATED', 'LAST USED', 'USAGE', 'SHARED'],
      ...cache.map((piece) => [
        piece.ID.slice(0, 12),
        piece.Type,
        formatSize(piece.Size),
        `${humanDuration(nowMs - Date.parse(piece.CreatedAt))} ago`,
        piece.LastUsedAt === null ? '' : `${humanDuration(nowMs - Date.parse(piece.LastUsedAt))} ago`,
        String(piece.UsageCount),
        String(piece.Shared),
      ]),
    ]),
  ]; // prettier-ignore
}

/** All of it as one object of lists, as `--verbose --format json` prints it and templates see it. */
export function usageData(
  usage: DiskUsage,
  nowMs: number,
): Record<string, readonly Readonly<Record<string, string>>[]> {
  const options = { length: 'full', nowMs } as const;
  return {
    Images: (usage.Images ?? []).flatMap((image) => imageRows(image, options)),
    Containers: (usage.Containers ?? []).map((container) => containerRow(container, options)),
    Volumes: (usage.Volumes ?? []).map(volumeRow),
    BuildCache: (usage.BuildCache ?? []).map((piece) => ({
      CacheType: piece.Type,
      Description: piece.Description,
      ID: piece.ID,
      InUse: String(piece.InUse),
      Shared: String(piece.Shared),
      Size: formatSize(piece.Size),
      UsageCount: String(piece.UsageCount),
    })),
  };
}

export function usageJson(data: ReturnType<typeof usageData>): string {
  const parts = Object.entries(data).map(([name, rows]) => `${JSON.stringify(name)}:[${rows.map(rowJson).join(',')}]`);
  return `{${parts.join(',')}}`;
}
