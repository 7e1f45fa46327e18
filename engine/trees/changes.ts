/**
 * What a container has changed: its overlay's upper folder compared with the layers below. Docker compares whole trees;
 * the upper alone tells the same, since whatever changed was copied up into it.
 */
import { type BigIntStats, closeSync, constants, openSync } from 'node:fs';
import { attributeAt, namesIn, openAt, statAt } from '../kernel/files.ts';
import { isWhiteout, opaqueAttribute } from '../layers/apply/layer-folder.ts';
import { findInLayers, type LowerEntry } from '../layers/apply/lower-layers.ts';
import { capabilityAt } from './open-file.ts';
import type { Change, OverlayFolders } from './trees.ts';

type Path = readonly string[];

/** Directories before what is in them, names in the order of the alphabet. */
export function changesOf(layers: OverlayFolders): readonly Change[] {
  const upper = openSync(layers.upper, constants.O_DIRECTORY);
  try {
    return changesInside(upper, [], layers.lowers);
  } finally {
    closeSync(upper);
  }
}

function changesInside(directory: number, path: Path, lowers: readonly string[]): Change[] {
  const isOpaque = attributeAt(directory, '.', opaqueAttribute.key)?.equals(opaqueAttribute.value) === true;
  const own = namesIn(directory);
  const hidden = isOpaque ? namesBelow(lowers, path).filter((name) => !own.includes(name)) : [];
  return [...own, ...hidden].sort().flatMap((name) => {
    const child = [...path, name];
    const stats = statAt(directory, name);
    if (stats === null) return hidden.includes(name) ? [change(child, 'deleted')] : [];
    using lower = findInLayers(lowers, child);
    if (isWhiteout(stats)) return lower === null ? [] : [change(child, 'deleted')];
    if (lower === null) return [change(child, 'added'), ...inside(directory, child, stats, [])];
    const below = inside(directory, child, stats, lower.stats.isDirectory() ? lowers : []);
    const isChanged = differs({ directory, name, stats }, lower);
    // A directory counts as changed when something in it did, so that its own look is kept with it.
    return isChanged || below.length > 0 ? [change(child, 'modified'), ...below] : [];
  });
}

function inside(directory: number, path: Path, stats: BigIntStats, lowers: readonly string[]): Change[] {
  if (!stats.isDirectory()) return [];
  const child = openAt(directory, path.at(-1) ?? '.', constants.O_DIRECTORY);
  try {
    return changesInside(child, path, lowers);
  } finally {
    closeSync(child);
  }
}

/** Docker's rule: mode, owner, device and capability; size and time of what is no directory. */
function differs(
  upper: { readonly directory: number; readonly name: string; readonly stats: BigIntStats },
  lower: LowerEntry,
): boolean {
  const [a, b] = [upper.stats, lower.stats];
  if (a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid || a.rdev !== b.rdev) return true;
  if (!a.isDirectory() && (a.size !== b.size || a.mtimeNs !== b.mtimeNs)) return true;
  const [mine, theirs] = [capabilityAt(upper.directory, upper.name), capabilityAt(lower.directory, lower.name)];
  return (mine === null) !== (theirs === null) || (mine !== null && theirs !== null && !mine.equals(theirs));
}

/** What the layers below show in a directory. */
function namesBelow(lowers: readonly string[], path: Path): readonly string[] {
  const names = new Set<string>();
  for (const folder of lowers) {
    using found = findInLayers([folder], path);
    if (found?.stats.isDirectory() !== true) continue;
    const directory = openAt(found.directory, found.name, constants.O_DIRECTORY);
    try {
      for (const name of namesIn(directory)) names.add(name);
    } finally {
      closeSync(directory);
    }
  }
  return [...names].filter((name) => {
    using found = findInLayers(lowers, [...path, name]);
    return found !== null;
  });
}

function change(path: Path, kind: Change['kind']): Change {
  return { path: Buffer.from(`/${path.join('/')}`, 'latin1').toString('utf8'), kind };
}
