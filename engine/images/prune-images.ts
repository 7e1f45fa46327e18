/** Which images a prune takes (source: moby, daemon/images/image_prune.go). */
import { booleanFilter, type Filters } from '../model/filters.ts';
import type { Instant } from '../model/time.ts';
import { passesPruneLabels, pruneUntil } from '../model/until.ts';
import type { Image } from './image.ts';
import type { Kinship } from './remove-image.ts';

export const imagePruneFilterKeys = ['dangling', 'label', 'label!', 'until'];

/**
 * Those without a tag; with `dangling=false` all that no container was made from. An image that another was made from is
 * not chosen while it has no name of its own: it goes with its last child. Throws `invalid` for values that cannot be understood.
 */
export function imagesToPrune(
  images: readonly Image[],
  filters: Filters,
  now: Instant,
  kinship: Kinship,
): readonly Image[] {
  const isDanglingOnly = booleanFilter(filters, 'dangling') ?? true;
  const until = pruneUntil(filters, now);
  return images.filter(
    (image) =>
      (!isDanglingOnly || image.references.length === 0) &&
      (until === null || (image.config.createdAt !== null && image.config.createdAt <= until)) &&
      passesPruneLabels(filters, image.config.run.labels) &&
      kinship.usersOf(image.id).length === 0 &&
      (image.references.length + image.digests.length > 0 || kinship.childrenOf(image.id).length === 0),
  );
}
