/**
 * Every difference between skiffd and dockerd 28 that is meant, or not mended yet. One that no longer exists fails the
 * suite, so that this list stays true; docs/compatibility.md shows it to users.
 */
export interface KnownDifference {
  /** Topic and step, as the test names them; a text that both together must contain, or a pattern. */
  readonly where: string | RegExp;
  /** The beginning of the differing place: `body.Config.Image`, `stderr`. */
  readonly place: string;
  readonly reason: string;
}

export const knownDifferences: readonly KnownDifference[] = [];
