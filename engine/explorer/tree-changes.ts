/** How two trees differ, by walking both where they are not the same object. */
import type { SkiffChange, SkiffTally } from '../../api/skiff.ts';
import type { StackNode } from './stack-tree.ts';

export interface TreeChange {
  /** Parts are byte strings. */
  readonly path: readonly string[];
  readonly change: SkiffChange;
  readonly before: StackNode | null;
  readonly after: StackNode | null;
}

/** Directories before what is in them, names in the order of their bytes. All that is in a directory that came or went is told too. */
export function* changesBetween(
  before: StackNode,
  after: StackNode,
  path: readonly string[] = [],
): Generator<TreeChange, void, void> {
  for (const name of namesOfBoth(before, after)) {
    const old = before.children?.get(name) ?? null;
    const now = after.children?.get(name) ?? null;
    if (old === now) continue;
    const child = [...path, name];
    if (old === null && now !== null) yield* whole(now, child, 'added');
    else if (old !== null && now === null) yield* whole(old, child, 'removed');
    else if (old !== null && now !== null) yield* changedPair(old, now, child);
  }
}

function* changedPair(old: StackNode, now: StackNode, path: readonly string[]): Generator<TreeChange, void, void> {
  if (old.children !== null && now.children !== null) {
    if (looksOtherwise(old, now)) yield { path, change: 'changed', before: old, after: now };
    yield* changesBetween(old, now, path);
    return;
  }
  yield { path, change: 'changed', before: old, after: now };
  // What was in a directory that a file took the place of, or the other way round.
  for (const [name, child] of sortedChildren(old)) yield* whole(child, [...path, name], 'removed');
  for (const [name, child] of sortedChildren(now)) yield* whole(child, [...path, name], 'added');
}

function* whole(
  node: StackNode,
  path: readonly string[],
  change: 'added' | 'removed',
): Generator<TreeChange, void, void> {
  const [before, after] = change === 'added' ? [null, node] : [node, null];
  yield { path, change, before, after };
  for (const [name, child] of sortedChildren(node)) yield* whole(child, [...path, name], change);
}

/** Of directories: their times change with everything that is put into them, and say nothing. */
export function looksOtherwise(a: StackNode, b: StackNode): boolean {
  return a.mode !== b.mode || a.userId !== b.userId || a.groupId !== b.groupId;
}

export function sortedChildren(node: StackNode): readonly (readonly [string, StackNode])[] {
  return [...(node.children ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
}

function namesOfBoth(a: StackNode, b: StackNode): readonly string[] {
  const names = new Set([...(a.children?.keys() ?? []), ...(b.children?.keys() ?? [])]);
  return [...names].sort();
}

export interface Tallies {
  readonly added: SkiffTally;
  readonly changed: SkiffTally;
  readonly removed: SkiffTally;
}

export class TallyBook {
  readonly #tallies = {
    added: { entries: 0, bytes: 0 },
    changed: { entries: 0, bytes: 0 },
    removed: { entries: 0, bytes: 0 },
  };

  add({ change, before, after }: Pick<TreeChange, 'change' | 'before' | 'after'>): void {
    const tally = this.#tallies[change];
    tally.entries += 1;
    tally.bytes += bytesOf(change === 'removed' ? before : after);
  }

  result(): Tallies {
    return this.#tallies;
  }
}

/** A file of several names counts at its first. */
export function bytesOf(node: StackNode | null): number {
  return node === null || node.isHardLink ? 0 : (node.content?.bytes ?? 0);
}
