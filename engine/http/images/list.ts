import type { ImageSummary } from '../../../api/images.ts';
import type { Parts } from '../../containers/parts.ts';
import { imageListFilterKeys, type ListedImage } from '../../images/images.ts';
import type { ImageId } from '../../model/ids.ts';
import { parseFilters } from '../../model/filters.ts';
import type { Exchange } from '../exchange.ts';

export function listImages({ images, directory }: Parts, exchange: Exchange): void {
  const filters = parseFilters(exchange.query.get('filters'), imageListFilterKeys);
  const listed = images.list(filters, exchange.flag('all') ? 'all' : 'shown');
  const shared = exchange.flag('shared-size') ? images.sharedSizes().sharedBytes : null;
  // Before 1.51 nobody counted.
  const users = exchange.isSince('1.51') ? imageUsers({ directory }) : null;
  const hasPlaceholders = !exchange.isSince('1.43');
  exchange.answer(
    'image-list',
    listed.map((entry) => {
      const summary = imageSummary(entry, {
        containers: users === null ? -1 : (users.get(entry.image.id) ?? 0),
        sharedBytes: shared?.get(entry.image.id) ?? -1,
      });
      return hasPlaceholders ? withPlaceholders(summary) : summary;
    }),
  );
}

/** How many containers were made of each image. */
export function imageUsers({ directory }: Pick<Parts, 'directory'>): ReadonlyMap<ImageId, number> {
  const users = new Map<ImageId, number>();
  for (const { spec } of directory.all()) users.set(spec.imageId, (users.get(spec.imageId) ?? 0) + 1);
  return users;
}

/** -1 stands for what was not counted. */
export function imageSummary(
  { image, names, digests }: ListedImage,
  counted: { readonly containers: number; readonly sharedBytes: number },
): ImageSummary {
  return {
    Id: image.id,
    ParentId: image.parent ?? '',
    RepoTags: names,
    RepoDigests: digests,
    Created: Number((image.config.createdAt ?? 0n) / 1_000_000_000n),
    Size: image.sizeBytes,
    VirtualSize: image.sizeBytes,
    SharedSize: counted.sharedBytes,
    Labels: Object.keys(image.config.run.labels).length === 0 ? null : image.config.run.labels,
    Containers: counted.containers,
  };
}

/** Older clients show what they get as it is. */
function withPlaceholders(summary: ImageSummary): object {
  const isNameless = summary.RepoTags.length + summary.RepoDigests.length === 0;
  if (isNameless) return { ...summary, RepoTags: ['<none>:<none>'], RepoDigests: ['<none>@<none>'] };
  const orNull = (names: readonly string[]): readonly string[] | null => (names.length === 0 ? null : names);
  return { ...summary, RepoTags: orNull(summary.RepoTags), RepoDigests: orNull(summary.RepoDigests) };
}
