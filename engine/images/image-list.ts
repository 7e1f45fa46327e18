import { booleanFilter, type Filters, passes } from '../model/filters.ts';
import { passesPruneLabels, pruneUntil } from '../model/until.ts';
import type { Instant } from '../model/time.ts';
import type { Image } from './image.ts';
import type { ListedImage } from './images.ts';
import { familiarReference, matchesPattern } from './reference.ts';

/**
 * The images that pass, newest first. `resolve` finds the image that `before` and `since` name; `isHidden` says of a nameless
 * one whether it is left out (source: moby, daemon/images/images.go).
 */
export function listImages(
  images: readonly Image[],
  filters: Filters,
  lookup: {
    readonly resolve: (text: string) => Image;
    readonly isHidden: (image: Image) => boolean;
    readonly now: Instant;
  },
): readonly ListedImage[] {
  const { resolve, isHidden, now } = lookup;
  const createdAt = ({ config }: Image): Instant => config.createdAt ?? 0n;
  const bound = (key: string): readonly Instant[] => (filters.get(key) ?? []).map((value) => createdAt(resolve(value)));
  const until = pruneUntil(filters, now);
  const before = [...bound('before'), ...(until === null ? [] : [until])];
  const since = bound('since');
  const isDangling = booleanFilter(filters, 'dangling');
  return images
    .filter(
      (image) =>
        (isDangling === null || isDangling === (image.references.length === 0)) &&
        passesPruneLabels(filters, image.config.run.labels) &&
        before.every((bound) => createdAt(image) < bound) &&
        since.every((bound) => createdAt(image) > bound) &&
        !(image.references.length + image.digests.length === 0 && isHidden(image)),
    )
    .flatMap((image) => {
      const isWanted = (reference: Image['references'][number]): boolean =>
        passes(filters, 'reference', (pattern) => matchesPattern(reference, pattern));
      const names = image.references.filter(isWanted).map(familiarReference);
      const digests = image.digests.filter(isWanted).map(familiarReference);
      const hasPattern = (filters.get('reference') ?? []).length > 0;
      return hasPattern && names.length + digests.length === 0 ? [] : [{ image, names, digests }];
    })
    .sort((a, b) => Number(createdAt(b.image) - createdAt(a.image)) || (a.image.id < b.image.id ? -1 : 1));
}
