/** Bytes of an image that no container of it sees: files that later layers replaced or removed. */
import type { Content, StackNode, StackTree } from './stack-tree.ts';
import { changesBetween } from './tree-changes.ts';

export interface WastedPath {
  readonly path: readonly string[];
  readonly wastedBytes: number;
  readonly layers: readonly number[];
  readonly hiddenBy: number;
}

export interface Waste {
  readonly sizeBytes: number;
  readonly wastedBytes: number;
  /** By layer, from the bottom. */
  readonly byLayer: readonly number[];
  /** The most wasteful first; equal ones in the order of the alphabet. */
  readonly paths: readonly WastedPath[];
}

export function wasteOf(top: StackTree): Waste {
  const seen = new Set<Content>();
  collectContents(top.root, seen);
  const states = statesOf(top);
  const found = new Map<string, { path: readonly string[]; bytes: number; layers: Set<number>; hiddenBy: number }>();
  const counted = new Set<Content>();
  for (const state of states) {
    if (state.below === null) continue;
    for (const { path, before } of changesBetween(state.below.root, state.root)) {
      const content = before?.content ?? null;
      if (content === null || content.bytes === 0 || seen.has(content) || counted.has(content)) continue;
      counted.add(content);
      const key = path.join('/');
      const entry = found.get(key) ?? { path, bytes: 0, layers: new Set<number>(), hiddenBy: state.layer };
      entry.bytes += content.bytes;
      entry.layers.add(content.layer);
      entry.hiddenBy = state.layer;
      found.set(key, entry);
    }
  }
  const byLayer = states.map(() => 0);
  for (const { layer, bytes } of counted) byLayer[layer] = (byLayer[layer] ?? 0) + bytes;
  const paths = [...found]
    .sort(([aKey, a], [bKey, b]) => b.bytes - a.bytes || (aKey < bKey ? -1 : 1))
    .map(([, { path, bytes, layers, hiddenBy }]) => ({ path, wastedBytes: bytes, layers: [...layers], hiddenBy }));
  const sizeBytes = states.reduce((sum, { layerBytes }) => sum + layerBytes, 0);
  return { sizeBytes, wastedBytes: byLayer.reduce((sum, bytes) => sum + bytes, 0), byLayer, paths };
}

/** Bottom first, without the empty tree that all stand on. */
export function statesOf(top: StackTree): readonly StackTree[] {
  const states: StackTree[] = [];
  for (let state: StackTree | null = top; state !== null && state.layer >= 0; state = state.below)
    states.unshift(state);
  return states;
}

function collectContents(node: StackNode, into: Set<Content>): void {
  if (node.content !== null) into.add(node.content);
  for (const child of node.children?.values() ?? []) collectContents(child, into);
}
