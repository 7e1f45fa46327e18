/** Names of images as the engine keeps them; their grammar stands in api/image-names.ts. */
import {
  familiarImageName,
  familiarRepository,
  formatImageName,
  parseImageName,
  withDefaultTag,
} from '../../api/image-names.ts';
import type { ImageName } from '../../api/image-names.ts';
import { invalid } from '../model/errors.ts';
import { type Digest, parseDigest } from '../model/ids.ts';

/** A name in its full form. Made by `parseReference` alone, so that its parts are known to be well-formed. */
export interface Reference extends ImageName {
  readonly digest: Digest | null;
}

export { withDefaultTag, formatImageName as formatReference };
export { familiarImageName as familiarReference, familiarRepository as familiarName };

/** Reads a name as people write it. Neither tag nor digest is made up: see `withDefaultTag`. Throws `invalid` in docker's words. */
export function parseReference(text: string): Reference {
  try {
    const name = parseImageName(text);
    return { ...name, digest: name.digest === null ? null : parseDigest(name.digest) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw invalid(error.message, { cause: error });
  }
}

/** Whether a shell pattern (`*`, `?`, `[a-z]`; none of them matches `/`) fits the short form with or without its tag. */
export function matchesPattern(reference: Reference, pattern: string): boolean {
  const expression = patternOf(pattern);
  return expression.test(familiarImageName(reference)) || expression.test(familiarRepository(reference));
}

/** Go's path.Match, which docker uses: an unclosed class is an error there too. */
function patternOf(pattern: string): RegExp {
  const source = pattern.replace(
    /\\(.)|\*|\?|\[(\^?)((?:\\.|[^\]\\])+)\]|[.*+?^${}()|[\]\\/]/g,
    (found, escaped, not, set) => {
      if (escaped !== undefined) return escapeText(String(escaped));
      if (found === '*') return '[^/]*';
      if (found === '?') return '[^/]';
      if (set !== undefined) return `[${String(not)}${String(set).replace(/[[\]^]/g, '\\$&')}]`;
      if (found === '[' || found === '\\')
        throw invalid(`invalid filter 'reference=${pattern}': syntax error in pattern`);
      return escapeText(found);
    },
  );
  try {
    return new RegExp(`^${source}$`);
  } catch (error) {
    throw invalid(`invalid filter 'reference=${pattern}': syntax error in pattern`, { cause: error });
  }
}

function escapeText(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
