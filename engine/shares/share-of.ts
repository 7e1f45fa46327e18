import type { SharedFolder } from '../../api/shares/shares.ts';

/** The share that a path of the user's computer lies in: the deepest one; null when it is in none. */
export function shareOf(folders: readonly SharedFolder[], source: string): SharedFolder | null {
  const around = folders.filter(({ path }) => path === '/' || source === path || source.startsWith(`${path}/`));
  return around.toSorted((one, other) => other.path.length - one.path.length)[0] ?? null;
}
