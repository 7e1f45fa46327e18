/** Holes that versions of crun are known to have. Distributions mend some without a new number, so they are told and not refused. */

interface Flaw {
  readonly name: string;
  /** The first version without it. */
  readonly mendedIn: readonly [major: number, minor: number];
  readonly what: string;
}

const flaws: readonly Flaw[] = [
  {
    name: 'CVE-2026-30892',
    mendedIn: [1, 27],
    what: 'a user of an exec that is no number runs as another',
  },
  {
    name: 'CVE-2026-47766',
    mendedIn: [1, 29],
    what: 'a link in the place of /dev in an image leads mounts elsewhere',
  },
];

/** One line for each hole of a version (`1.21`), for the log and `--check`. */
export function knownFlaws(version: string): readonly string[] {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return flaws
    .filter(({ mendedIn: [wanted, least] }) => major < wanted || (major === wanted && minor < least))
    .map(({ name, mendedIn, what }) => `${name}, mended in ${mendedIn.join('.')}: ${what}`);
}
