import { invalid } from '../model/errors.ts';
import { type Filters, passes } from '../model/filters.ts';
import { passesPruneLabels } from '../model/until.ts';
import { type Instant, parseInstant, parseUnixTime } from '../model/time.ts';
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
  lookup: { readonly resolve: (text: string) => Image; readonly isHidden: (image: Image) => boolean },
): readonly ListedImage[] {
  const { resolve, isHidden } = lookup;
  const createdAt = ({ config }: Image): Instant => config.createdAt ?? 0n;
  const bound = (key: string, read: (value: string) => Instant): readonly Instant[] =>
    (filters.get(key) ?? []).map(read);
  const before = [...bound('before', (value) => createdAt(resolve(value))), ...bound('until', untilOf)];
  const since = bound('since', (value) => createdAt(resolve(value)));
  return images
    .filter(
      (image) =>
        passes(filters, 'dangling', (value) => isTrue(value) === (image.references.length === 0)) &&
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

/** Go's strconv.ParseBool, as docker reads it. */
function isTrue(value: string): boolean {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
  throw invalid(`invalid filter 'dangling=${value}'`);
}

const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000 };

/** A moment (RFC 3339, Unix seconds) or a time ago (`24h`, `1h30m`). */
function untilOf(value: string): Instant {
  const instant = parseInstant(value) ?? parseUnixTime(value);
  if (instant !== null) return instant;
  if (!/^(?:\d{1,9}[hms])+$/.test(value)) throw invalid(`invalid filter 'until=${value}'`);
  const agoMs = [...value.matchAll(/(\d+)([hms])/g)].reduce(
    (sum, part) => sum + Number(part[1]) * (unitMs[part[2] ?? ''] ?? 0),
    0,
  );
  return BigInt(Date.now() - agoMs) * 1_000_000n;
}
