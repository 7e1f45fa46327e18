/** Versions of the Docker Engine API that Skiff's engine speaks, as `major.minor` (source: Engine API version history). */
export const newestApiVersion = '1.55';
export const oldestApiVersion = '1.40';

/** Negative, zero or positive as `a` is older than, equal to or newer than `b`; parts are compared as numbers (1.9 < 1.40). */
export function compareApiVersions(a: string, b: string): number {
  const [aMajor = 0, aMinor = 0] = a.split('.').map(Number);
  const [bMajor = 0, bMinor = 0] = b.split('.').map(Number);
  return aMajor - bMajor || aMinor - bMinor;
}
