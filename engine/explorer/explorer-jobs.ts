/** The jobs of the explorer program (see `explorer-protocol.ts`), on trees that it keeps for a while. */
import type { SkiffTree } from '../../api/skiff.ts';
import { invalid } from '../model/errors.ts';
import { compareStacks, type Comparison } from './compare.ts';
import type { ExplorerJob, ExplorerResult, LayerFacts, Stack } from './explorer-protocol.ts';
import { findInTree } from './inside-tree.ts';
import { byteText, presentTree } from './present-tree.ts';
import type { StackNode, StackTree } from './stack-tree.ts';
import { TreeCache } from './tree-cache.ts';
import { changesBetween, TallyBook } from './tree-changes.ts';
import { statesOf, wasteOf } from './waste.ts';

/** Some 200 bytes each: as much as leaves the program's heap room to work. */
const mostNodes = 1_000_000;
const mostComparisons = 4;

export class ExplorerJobs {
  readonly #trees = new TreeCache(mostNodes);
  /** Comparing reads files: the pages of one answer are cut from one comparison. */
  readonly #comparisons = new Map<string, Comparison>();

  run(job: ExplorerJob): ExplorerResult {
    switch (job.verb) {
      case 'layers':
        return { is: 'layers', layers: this.#layers(job.stack) };
      case 'tree':
        return this.#tree(job);
      case 'locate':
        return this.#locate(job.stack, job.path);
      case 'waste':
        return this.#waste(job.stack, job.limit);
      case 'compare':
        return this.#compare(job);
    }
  }

  #layers(stack: Stack): readonly LayerFacts[] {
    const top = this.#trees.tree(stack);
    const { byLayer } = wasteOf(top);
    return statesOf(top).map((state, index) => {
      const book = new TallyBook();
      for (const change of changesBetween(rootBelow(state), state.root)) book.add(change);
      return { sizeBytes: state.layerBytes, ...book.result(), wastedBytes: byLayer[index] ?? 0 };
    });
  }

  #tree(job: Extract<ExplorerJob, { verb: 'tree' }>): ExplorerResult {
    const tree = this.#trees.tree(job.stack);
    const below = rootBelow(tree);
    const { path, now, before } = placeIn(tree, below, job.path);
    const { node, shown, isLast } = presentTree({ now, before, name: path.at(-1) ?? '' }, job);
    const shownPath = byteText('path', `/${path.join('/')}`) as Pick<SkiffTree, 'path' | 'pathBytes'>;
    return { is: 'tree', tree: { ...shownPath, node }, next: isLast ? null : job.offset + shown };
  }

  #locate(stack: Stack, wanted: string): ExplorerResult {
    const { path, node } = findInTree(this.#trees.tree(stack).root, wanted, 'follow');
    if (node.content === null) {
      const shown = JSON.stringify(Buffer.from(wanted, 'latin1').toString('utf8'));
      throw invalid(`${shown} is a ${node.kind}: only files can be read`);
    }
    return { is: 'place', layer: node.content.layer, path: path.join('/'), sizeBytes: node.content.bytes };
  }

  #waste(stack: Stack, limit: number): ExplorerResult {
    const { sizeBytes, wastedBytes, paths } = wasteOf(this.#trees.tree(stack));
    return {
      is: 'waste',
      waste: {
        sizeBytes,
        wastedBytes,
        score: sizeBytes === 0 ? 1 : (sizeBytes - wastedBytes) / sizeBytes,
        pathCount: paths.length,
        paths: paths.slice(0, limit).map(({ path, ...rest }) => ({
          ...(byteText('path', `/${path.join('/')}`) as { path: string; pathBytes?: string }),
          ...rest,
        })),
      },
    };
  }

  #comparison(from: Stack, to: Stack): Comparison {
    const key = keyOf(from, to);
    const known = key === null ? undefined : this.#comparisons.get(key);
    if (known !== undefined) return known;
    const [a, b] = [this.#trees.tree(from), this.#trees.tree(to)];
    const comparison = compareStacks({ stack: from, tree: a }, { stack: to, tree: b });
    if (key === null) return comparison;
    for (const old of [...this.#comparisons.keys()].slice(0, -mostComparisons + 1)) this.#comparisons.delete(old);
    this.#comparisons.set(key, comparison);
    return comparison;
  }

  #compare({ from, to, offset, limit }: Extract<ExplorerJob, { verb: 'compare' }>): ExplorerResult {
    const comparison = this.#comparison(from, to);
    const { tallies, files, packages } = comparison;
    const next = offset + limit < files.length ? offset + limit : null;
    return {
      is: 'comparison',
      comparison: { ...tallies, files: files.slice(offset, offset + limit) },
      packages,
      next,
    };
  }
}

/** Null for one that may be another the next time. */
function keyOf(from: Stack, to: Stack): string | null {
  if ([...from, ...to].some(({ chainId }) => chainId === null)) return null;
  return `${from.at(-1)?.chainId ?? ''} ${to.at(-1)?.chainId ?? ''}`;
}

/** What a path names in a tree and below its topmost layer; what that layer removed is found as well. */
function placeIn(
  tree: StackTree,
  below: StackNode,
  wanted: string,
): { readonly path: readonly string[]; readonly now: StackNode | null; readonly before: StackNode | null } {
  const inBoth = (path: readonly string[], root: StackNode): StackNode | null => {
    let node: StackNode | undefined = root;
    for (const name of path) node = node?.children?.get(name);
    return node ?? null;
  };
  try {
    const { path, node } = findInTree(tree.root, wanted, 'keep');
    return { path, now: node, before: inBoth(path, below) };
  } catch (error) {
    const path = wanted.split('/').filter((part) => part !== '' && part !== '.');
    const before = inBoth(path, below);
    if (before === null) throw error;
    return { path, now: null, before };
  }
}

/** The first layer adds everything, but for the root that every stack has. */
function rootBelow(state: StackTree): StackNode {
  return state.below?.root ?? state.root;
}
