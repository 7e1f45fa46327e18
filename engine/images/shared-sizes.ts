import type { ChainId, ImageId } from '../model/ids.ts';
import type { Image } from './image.ts';
import type { LayerSize } from './image-rows.ts';

export interface SharedSizes {
  /** Of each image: the bytes of its layers that another of these images has too. */
  readonly sharedBytes: ReadonlyMap<ImageId, number>;
  /** Of all their layers, each counted once. */
  readonly layersBytes: number;
}

export function sharedSizes(images: readonly Image[], layers: ReadonlyMap<ChainId, LayerSize>): SharedSizes {
  const users = new Map<ChainId, number>();
  const stacks = new Map<ImageId, readonly ChainId[]>();
  for (const { id, topLayer } of images) {
    const stack: ChainId[] = [];
    for (let next = topLayer; next !== null; next = layers.get(next)?.parent ?? null) stack.push(next);
    stacks.set(id, stack);
    for (const chainId of stack) users.set(chainId, (users.get(chainId) ?? 0) + 1);
  }
  const bytesOf = (chain: Iterable<ChainId>): number => {
    let sum = 0;
    for (const chainId of chain) sum += layers.get(chainId)?.sizeBytes ?? 0;
    return sum;
  };
  const sharedBytes = new Map(
    [...stacks].map(([id, stack]) => [id, bytesOf(stack.filter((chainId) => (users.get(chainId) ?? 0) > 1))]),
  );
  return { sharedBytes, layersBytes: bytesOf(users.keys()) };
}
