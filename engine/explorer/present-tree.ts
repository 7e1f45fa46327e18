/** Pages of a tree in the words of the API (`api/skiff.ts`). */
import { isUtf8 } from 'node:buffer';
import type { SkiffChange, SkiffTreeNode } from '../../api/skiff.ts';
import { formatInstant } from '../model/time.ts';
import type { StackNode } from './stack-tree.ts';
import { looksOtherwise } from './tree-changes.ts';

export type TreeSort = 'name' | 'size' | 'modified';

export interface TreeWindow {
  /** 1: the children of the node that was asked for; more: theirs too, while there is room. */
  readonly depth: number;
  readonly sort: TreeSort;
  /** Children of the node to pass over. */
  readonly offset: number;
  /** Nodes in the whole answer. */
  readonly limit: number;
  /** `layer`: only what the layer changed, and the directories on the way there. */
  readonly view: 'merged' | 'layer';
}

/** One place in the history of an image: how it is, and how it was below the layer in question. */
interface Pair {
  readonly now: StackNode | null;
  readonly before: StackNode | null;
}

/** `name` is a byte string. Returns how many children of the node there are besides. */
export function presentTree(
  pair: Pair & { readonly name: string },
  window: TreeWindow,
): { readonly node: SkiffTreeNode; readonly shown: number; readonly isLast: boolean } {
  const children = childPairs(pair, window);
  const page = children.slice(window.offset, window.offset + window.limit);
  let room = window.limit - page.length;
  // Breadth first: what lies near is shown before what lies deep.
  const opened = new Map<object, readonly (readonly [string, Pair])[]>();
  let level: readonly (readonly [string, Pair])[] = page;
  for (let depth = 1; depth < window.depth; depth++) {
    const next: (readonly [string, Pair])[] = [];
    for (const [, child] of level) {
      if (visible(child).children === null) continue;
      const inside = childPairs(child, window);
      if (inside.length > room) continue;
      room -= inside.length;
      opened.set(child, inside);
      next.push(...inside);
    }
    level = next;
  }
  const build = (name: string, at: Pair): SkiffTreeNode => {
    const inside = opened.get(at);
    const node = presentNode(name, at, window);
    return inside === undefined ? node : { ...node, children: inside.map(([child, under]) => build(child, under)) };
  };
  const own = presentNode(pair.name, pair, window);
  const node =
    visible(pair).children === null ? own : { ...own, children: page.map(([name, child]) => build(name, child)) };
  return { node, shown: page.length, isLast: window.offset + page.length >= children.length };
}

function presentNode(name: string, pair: Pair, window: TreeWindow): SkiffTreeNode {
  const node = visible(pair);
  const isDirectory = node.children !== null;
  return {
    ...byteText('name', name),
    kind: node.kind,
    sizeBytes: node.content?.bytes ?? 0,
    totalBytes: node.totalBytes,
    totalFiles: isDirectory ? node.totalFiles : 0,
    mode: node.mode,
    userId: node.userId,
    groupId: node.groupId,
    modifiedAt: timeText(node.modifiedNs),
    ...(node.link === '' ? {} : byteText('linkTarget', node.link)),
    ...(node.isHardLink ? { isHardLink: true } : {}),
    ...(node.device === '' ? {} : { device: node.device }),
    layer: node.layer,
    change: changeOf(pair),
    hasChangesBelow: isDirectory && hasChangesBelow(pair),
    ...(isDirectory ? { childCount: childPairs(pair, window).length } : {}),
  } as SkiffTreeNode; // byteText makes the fields that its name says
}

/** What no calendar holds is shown as its nearest end (a tar may say anything). */
function timeText(ns: bigint): string {
  const latest = 253_402_300_799_000_000_000n; // 9999-12-31T23:59:59Z
  return formatInstant(ns < 0n ? 0n : ns > latest ? latest : ns);
}

/** `{name, nameBytes}`: text to show, and the bytes where the text does not tell them. */
export function byteText(field: string, bytes: string): Readonly<Record<string, string>> {
  const buffer = Buffer.from(bytes, 'latin1');
  const text = buffer.toString('utf8');
  return isUtf8(buffer) ? { [field]: text } : { [field]: text, [`${field}Bytes`]: buffer.toString('base64') };
}

/** What was removed is shown as it was. */
function visible({ now, before }: Pair): StackNode {
  const node = now ?? before;
  if (node === null) throw new Error('a place in a tree without anything in it');
  return node;
}

function changeOf({ now, before }: Pair): SkiffChange | null {
  if (now === before) return null;
  if (before === null) return 'added';
  if (now === null) return 'removed';
  if (now.children !== null && before.children !== null) return looksOtherwise(now, before) ? 'changed' : null;
  return 'changed';
}

function hasChangesBelow({ now, before }: Pair): boolean {
  if (now === before) return false;
  const [inside, wasInside] = [now?.children ?? null, before?.children ?? null];
  if (inside === null || wasInside === null) return (inside ?? wasInside)?.size !== 0;
  if (inside.size !== wasInside.size) return true;
  for (const [name, child] of inside) {
    const was = wasInside.get(name) ?? null;
    if (changeOf({ now: child, before: was }) !== null) return true;
    if (child.children !== null && hasChangesBelow({ now: child, before: was })) return true;
  }
  return false;
}

function childPairs(pair: Pair, window: TreeWindow): readonly (readonly [string, Pair])[] {
  const [now, before] = [pair.now?.children, pair.before?.children];
  const pairs: (readonly [string, Pair])[] = [];
  const isShown = (child: Pair): boolean =>
    window.view === 'merged' ||
    changeOf(child) !== null ||
    (visible(child).children !== null && hasChangesBelow(child));
  for (const [name, child] of now ?? []) {
    const both = { now: child, before: before?.get(name) ?? null };
    if (isShown(both)) pairs.push([name, both]);
  }
  for (const [name, child] of before ?? []) {
    if (now?.has(name) !== true) pairs.push([name, { now: null, before: child }]);
  }
  return pairs.sort(orders[window.sort]);
}

type Order = (a: readonly [string, Pair], b: readonly [string, Pair]) => number;
const byName: Order = ([a], [b]) => (a < b ? -1 : 1);
const orders: Readonly<Record<TreeSort, Order>> = {
  name: byName,
  size: (a, b) => visible(b[1]).totalBytes - visible(a[1]).totalBytes || byName(a, b),
  modified: (a, b) => Number(visible(b[1]).modifiedNs - visible(a[1]).modifiedNs) || byName(a, b),
};
