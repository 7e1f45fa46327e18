import type { MeasuredImage } from '../../api/system.ts';
import type { Row, RowFormat } from './rows.ts';
import { formatSize } from './sizes.ts';
import { tableLines } from './table.ts';
import { formatMoment, humanDuration } from './times.ts';

export type ImageField =
  | 'Containers' | 'CreatedAt' | 'CreatedSince' | 'Digest' | 'ID' | 'Repository' | 'SharedSize' | 'Size' | 'Tag'
  | 'UniqueSize' | 'VirtualSize'; // prettier-ignore

export const imageFormat: RowFormat<ImageField> = {
  titles: {
    Containers: 'CONTAINERS',
    CreatedAt: 'CREATED AT',
    CreatedSince: 'CREATED',
    Digest: 'DIGEST',
    ID: 'IMAGE ID',
    Repository: 'REPOSITORY',
    SharedSize: 'SHARED SIZE',
    Size: 'SIZE',
    Tag: 'TAG',
    UniqueSize: 'UNIQUE SIZE',
    VirtualSize: 'VIRTUAL SIZE',
  },
  table: ['Repository', 'Tag', 'ID', 'CreatedSince', 'Size'],
  quiet: 'ID',
};

const none = '<none>';

/** What `images` prints of an image: a row for each of its names. */
export function imageRows(
  image: MeasuredImage,
  { length, nowMs }: { readonly length: 'short' | 'full'; readonly nowMs: number },
): Row<ImageField>[] {
  const tags = image.RepoTags ?? [];
  const names = tags.length > 0 ? tags : [`${none}:${none}`];
  return names.map((name) => {
    const colon = name.lastIndexOf(':');
    const hasTag = colon > name.lastIndexOf('/');
    return {
      Containers: image.Containers < 0 ? 'N/A' : String(image.Containers),
      CreatedAt: formatMoment(new Date(image.Created * 1000)),
      CreatedSince: image.Created === 0 ? 'N/A' : `${humanDuration(nowMs - image.Created * 1000)} ago`,
      Digest: image.RepoDigests?.[0]?.split('@')[1] ?? none,
      ID: length === 'short' ? image.Id.replace(/^sha256:/, '').slice(0, 12) : image.Id,
      Repository: hasTag ? name.slice(0, colon) : name,
      SharedSize: image.SharedSize < 0 ? 'N/A' : formatSize(image.SharedSize, 4),
      Size: formatSize(image.Size),
      Tag: hasTag ? name.slice(colon + 1) : none,
      UniqueSize: image.SharedSize < 0 ? 'N/A' : formatSize(image.Size - image.SharedSize, 4),
      VirtualSize: formatSize(image.Size, 4),
    };
  });
}

/** `images --tree`: a row an image, whatever its names, the newest first; `U`: containers use it. */
export function imageTreeLines(images: readonly MeasuredImage[]): string[] {
  const rows = images.flatMap((image) => {
    const names = image.RepoTags?.length ? image.RepoTags : [`${none}:${none}`];
    const cells = [
      image.Id.replace(/^sha256:/, '').slice(0, 12),
      formatSize(image.Size),
      image.Containers > 0 ? 'U' : '',
    ];
    return names.map((name, index) => (index === names.length - 1 ? [name, ...cells] : [name, '', '', '']));
  });
  return tableLines([['IMAGE', 'ID', 'DISK USAGE', 'IN USE'], ...rows]).map((line) => line.trimEnd());
}
