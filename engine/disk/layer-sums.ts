/** Who shares which layers: sums over stacks. */
import type { ChainId, ImageId } from '../model/ids.ts';

export interface MeasuredLayer {
  readonly chainId: ChainId;
  readonly parent: ChainId | null;
  readonly bytes: number;
}

export interface ImageSums {
  readonly layers: number;
  readonly bytes: number;
  readonly sharedBytes: number;
  readonly uniqueBytes: number;
  readonly reclaimableBytes: number;
}

export interface LayerSums {
  readonly bytes: number;
  readonly reclaimableBytes: number;
  readonly orphanBytes: number;
  readonly images: ReadonlyMap<ImageId, ImageSums>;
}

/** `held`: top layers that containers stand on, or have mounted. */
export function sumLayers(
  layers: ReadonlyMap<ChainId, MeasuredLayer>,
  images: readonly { readonly id: ImageId; readonly topLayer: ChainId | null }[],
  held: readonly ChainId[],
): LayerSums {
  const owners = new Map<ChainId, number>();
  const stacks = images.map(({ id, topLayer }) => ({ id, stack: stackOf(layers, topLayer) }));
  for (const { stack } of stacks) for (const { chainId } of stack) owners.set(chainId, (owners.get(chainId) ?? 0) + 1);
  const needed = new Set(held.flatMap((top) => stackOf(layers, top).map(({ chainId }) => chainId)));
  const sum = (some: Iterable<MeasuredLayer>): number => [...some].reduce((total, { bytes }) => total + bytes, 0);
  const all = [...layers.values()];
  return {
    bytes: sum(all),
    reclaimableBytes: sum(all.filter(({ chainId }) => !needed.has(chainId))),
    orphanBytes: sum(all.filter(({ chainId }) => !owners.has(chainId))),
    images: new Map(
      stacks.map(({ id, stack }) => {
        const own = stack.filter(({ chainId }) => owners.get(chainId) === 1);
        const [bytes, uniqueBytes] = [sum(stack), sum(own)];
        const reclaimableBytes = sum(own.filter(({ chainId }) => !needed.has(chainId)));
        return [id, { layers: stack.length, bytes, uniqueBytes, sharedBytes: bytes - uniqueBytes, reclaimableBytes }];
      }),
    ),
  };
}

/** What goes when these images go, all of them together. */
export function bytesOnlyOf(
  layers: ReadonlyMap<ChainId, MeasuredLayer>,
  leaving: readonly (ChainId | null)[],
  staying: readonly (ChainId | null)[],
): number {
  const kept = new Set(staying.flatMap((top) => stackOf(layers, top)));
  const gone = new Set(leaving.flatMap((top) => stackOf(layers, top)).filter((layer) => !kept.has(layer)));
  return [...gone].reduce((total, { bytes }) => total + bytes, 0);
}

/** Topmost first. */
function stackOf(layers: ReadonlyMap<ChainId, MeasuredLayer>, top: ChainId | null): readonly MeasuredLayer[] {
  const stack: MeasuredLayer[] = [];
  for (let next = top; next !== null;) {
    const layer = layers.get(next);
    if (layer === undefined) break;
    stack.push(layer);
    next = layer.parent;
  }
  return stack;
}
