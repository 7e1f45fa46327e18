/** What the engine and its explorer program say to each other: one job at a time, answered by one report. */
import type { SkiffComparison, SkiffPackageChange, SkiffTally, SkiffTree, SkiffWaste } from '../../api/skiff.ts';
import type { ErrorKind } from '../model/errors.ts';
import type { ChainId } from '../model/ids.ts';
import type { TreeSort } from './present-tree.ts';

/** Layers bottom first. */
export type Stack = readonly StackedLayer[];

export interface StackedLayer {
  /** Null: a folder that may change, on top of layers. Its tree is not kept. */
  readonly chainId: ChainId | null;
  /** Absolute. */
  readonly folder: string;
  /** The list of its entries, written while it was unpacked; null for a layer of an older engine, whose tree is walked instead. */
  readonly recipe: string | null;
}

export type ExplorerJob =
  | { readonly verb: 'layers'; readonly stack: Stack }
  | {
      readonly verb: 'tree';
      readonly stack: Stack;
      /** Byte string. */
      readonly path: string;
      readonly view: 'merged' | 'layer';
      readonly depth: number;
      readonly sort: TreeSort;
      readonly offset: number;
      readonly limit: number;
    }
  | { readonly verb: 'locate'; readonly stack: Stack; readonly path: string }
  | { readonly verb: 'waste'; readonly stack: Stack; readonly limit: number }
  | {
      readonly verb: 'compare';
      readonly from: Stack;
      readonly to: Stack;
      readonly offset: number;
      readonly limit: number;
    };

export interface LayerFacts {
  readonly sizeBytes: number;
  readonly added: SkiffTally;
  readonly changed: SkiffTally;
  readonly removed: SkiffTally;
  readonly wastedBytes: number;
}

export type ExplorerResult =
  | { readonly is: 'layers'; readonly layers: readonly LayerFacts[] }
  | {
      readonly is: 'tree';
      readonly tree: Omit<SkiffTree, 'id' | 'layer' | 'view' | 'next'>;
      readonly next: number | null;
    }
  /** `path`: inside the folder of the layer, free of links. */
  | { readonly is: 'place'; readonly layer: number; readonly path: string; readonly sizeBytes: number }
  | { readonly is: 'waste'; readonly waste: Omit<SkiffWaste, 'id'> }
  | {
      readonly is: 'comparison';
      readonly comparison: Pick<SkiffComparison, 'added' | 'changed' | 'removed' | 'files'>;
      readonly packages: { readonly kind: 'dpkg' | 'apk'; readonly changes: readonly SkiffPackageChange[] } | null;
      readonly next: number | null;
    };

export type ExplorerReport =
  | { readonly kind: 'done'; readonly result: ExplorerResult }
  | { readonly kind: 'failed'; readonly error: ErrorKind; readonly message: string };
