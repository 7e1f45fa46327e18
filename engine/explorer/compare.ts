/** Two images side by side: what is in one and not in the other, and what differs by what it is (never by its time alone). */
import type { SkiffFileChange, SkiffPackageChange } from '../../api/skiff.ts';
import type { Stack } from './explorer-protocol.ts';
import { findInTree } from './inside-tree.ts';
import { packageChanges, packageDatabases, readPackages } from './packages.ts';
import { byteText } from './present-tree.ts';
import { isSameContent, readLayerFile } from './stack-files.ts';
import type { StackNode, StackTree } from './stack-tree.ts';
import { bytesOf, changesBetween, type Tallies, TallyBook, type TreeChange } from './tree-changes.ts';

export interface Side {
  readonly stack: Stack;
  readonly tree: StackTree;
}

export interface Comparison {
  readonly tallies: Tallies;
  readonly files: readonly SkiffFileChange[];
  readonly packages: { readonly kind: 'dpkg' | 'apk'; readonly changes: readonly SkiffPackageChange[] } | null;
}

export function compareStacks(from: Side, to: Side): Comparison {
  const book = new TallyBook();
  const files: SkiffFileChange[] = [];
  for (const change of changesBetween(from.tree.root, to.tree.root)) {
    const differs = differencesOf(change, from.stack, to.stack);
    if (change.change === 'changed' && differs.length === 0) continue;
    book.add(change);
    const { path, before, after } = change;
    files.push({
      ...(byteText('path', `/${path.join('/')}`) as Pick<SkiffFileChange, 'path' | 'pathBytes'>),
      change: change.change,
      kind: (after ?? before)?.kind ?? 'file',
      fromBytes: bytesOf(before),
      toBytes: bytesOf(after),
      differs,
    });
  }
  return { tallies: book.result(), files, packages: comparePackages(from, to) };
}

function differencesOf(
  { path, before, after }: TreeChange,
  from: Stack,
  to: Stack,
): readonly SkiffFileChange['differs'][number][] {
  if (before === null || after === null) return [];
  if (before.kind !== after.kind) return ['kind'];
  const differs: SkiffFileChange['differs'][number][] = [];
  if (before.content !== null && after.content !== null) {
    const same =
      before.content === after.content ||
      (before.content.bytes === after.content.bytes &&
        isSameContent(placeOf(from, before, path), placeOf(to, after, path)));
    if (!same) differs.push('content');
  }
  if (before.kind !== 'symlink' && before.mode !== after.mode) differs.push('mode');
  if (before.userId !== after.userId || before.groupId !== after.groupId) differs.push('owner');
  if (before.kind === 'symlink' && before.link !== after.link) differs.push('link');
  if (before.device !== after.device) differs.push('device');
  return differs;
}

function placeOf(
  stack: Stack,
  node: StackNode,
  path: readonly string[],
): { readonly folder: string; readonly path: string } {
  const folder = stack[node.layer]?.folder;
  if (folder === undefined) throw new Error(`a tree names the layer ${node.layer} of ${stack.length}`);
  return { folder, path: path.join('/') };
}

const largestDatabase = 64 * 1024 * 1024;

function comparePackages(from: Side, to: Side): Comparison['packages'] {
  for (const { kind, path } of packageDatabases) {
    const [before, after] = [readDatabase(from, path), readDatabase(to, path)];
    if (before === null || after === null) continue;
    return { kind, changes: packageChanges(readPackages(kind, before), readPackages(kind, after)) };
  }
  return null;
}

/** Null when it is not there, is no file, or is longer than any is. */
function readDatabase({ stack, tree }: Side, path: string): Buffer | null {
  let node: StackNode | undefined = tree.root;
  for (const name of path.split('/')) node = node?.children?.get(name);
  if (node?.kind !== 'file') return null;
  const found = findInTree(tree.root, path, 'keep');
  const place = placeOf(stack, found.node, found.path);
  return readLayerFile(place.folder, place.path, largestDatabase);
}
