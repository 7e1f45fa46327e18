import type { ChainId } from '../model/ids.ts';
import type { Stack } from './explorer-protocol.ts';
import { entriesOfFolder, entriesOfRecipe } from './layer-entries.ts';
import { applyLayer, emptyTree, type StackTree } from './stack-tree.ts';

/** Trees that were looked at lately, by chain id: a stack is built once, and one on top of it from there. */
export class TreeCache {
  readonly #most: number;
  /** The one that was used last at the end. */
  readonly #trees = new Map<ChainId, StackTree>();

  /** `most`: nodes of all trees together; the trees that are longest out of use go first. */
  constructor(most: number) {
    this.#most = most;
  }

  /** The tree that all layers of the stack show. */
  tree(stack: Stack): StackTree {
    let tree = emptyTree;
    for (const { chainId, folder, recipe } of stack) {
      const known = chainId === null ? undefined : this.#trees.get(chainId);
      tree = known ?? applyLayer(tree, recipe === null ? entriesOfFolder(folder) : entriesOfRecipe(recipe));
      if (chainId !== null) this.#trees.set(chainId, tree);
    }
    // A tree holds those below it in memory: they count as used after it.
    const kept = stack.flatMap(({ chainId }) => chainId ?? []).reverse();
    for (const chainId of kept) this.#touch(chainId);
    this.#shrink(kept.length);
    return tree;
  }

  #touch(chainId: ChainId): void {
    const tree = this.#trees.get(chainId);
    if (tree === undefined) return;
    this.#trees.delete(chainId);
    this.#trees.set(chainId, tree);
  }

  #shrink(kept: number): void {
    let weight = 0;
    for (const tree of this.#trees.values()) weight += tree.weight;
    for (const [chainId, tree] of [...this.#trees].slice(0, -kept || undefined)) {
      if (weight <= this.#most) return;
      this.#trees.delete(chainId);
      weight -= tree.weight;
    }
  }
}
