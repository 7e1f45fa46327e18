/**
 * Looking into images without a container: their layers, what each brings and changes, their files, what is wasted, and two
 * of them side by side. Trees are built and kept in a process of their own (`explorer.worker.ts`), whose answers are pages.
 *
 *     const { layers } = await explorer.layers('hello');
 *     const { node, next } = await explorer.tree('hello', { path: 'etc', ...defaults });
 *
 * Paths are byte strings. What is asked for is held while it is looked at: an image that is removed meanwhile keeps its files.
 */
import type { SkiffComparison, SkiffImageLayers, SkiffTree, SkiffWaste } from '../../api/skiff.ts';
import type { HistoryEntry, Image } from '../images/image.ts';
import type { Images } from '../images/images.ts';
import { WorkerPool } from '../kernel/worker-pool.ts';
import { WorkerProcess } from '../kernel/worker-process.ts';
import type { Layer, LayerStore } from '../layers/layer-store.ts';
import { EngineError, internal, invalid } from '../model/errors.ts';
import { formatInstant } from '../model/time.ts';
import { configChanges } from './config-changes.ts';
import type { ExplorerJob, ExplorerReport, ExplorerResult, StackedLayer } from './explorer-protocol.ts';
import type { TreeSort } from './present-tree.ts';
import { openLayerFile } from './stack-files.ts';

const heapMegabytes = 768;
const keptMs = 60_000;
const longestMs = 600_000;

export interface TreeRequest {
  /** Byte string; empty: the root. */
  readonly path: string;
  /** As of this layer; null: the topmost. */
  readonly layer: number | null;
  readonly view: 'merged' | 'layer';
  readonly depth: number;
  readonly sort: TreeSort;
  readonly offset: number;
  readonly limit: number;
}

/** An open file of a layer, which cannot go while this is there. The descriptor is for whoever asked to close. */
export interface FoundFile extends Disposable {
  readonly fd: number;
  readonly sizeBytes: number;
}

export class Explorer implements AsyncDisposable {
  readonly #images: Images;
  readonly #layers: LayerStore;
  readonly #pool: WorkerPool;

  /** `program`: absolute path of `explorer.worker.ts`, or of its bundle. */
  constructor(parts: { readonly images: Images; readonly layers: LayerStore; readonly program: string }) {
    this.#images = parts.images;
    this.#layers = parts.layers;
    this.#pool = new WorkerPool({
      start: () => new WorkerProcess({ program: parts.program, heapMegabytes }),
      most: 2,
      idleMs: keptMs,
      whenClosed: 'the engine is stopping: no image is looked into any more',
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#pool[Symbol.asyncDispose]();
  }

  async layers(image: Image, signal: AbortSignal): Promise<SkiffImageLayers> {
    const stack = this.#stackOf(image);
    const result = await this.#run({ verb: 'layers', stack: this.#places(stack) }, stack, signal);
    if (result.is !== 'layers') throw wrongAnswer();
    const steps = image.config.history.filter(({ isEmptyLayer }) => !isEmptyLayer);
    // A history that does not fit its layers would name the wrong step for each.
    const isTold = steps.length === stack.length;
    const layers = result.layers.map((facts, index) => {
      const layer = stack[index];
      if (layer === undefined) throw wrongAnswer();
      return {
        index,
        diffId: layer.diffId,
        chainId: layer.chainId,
        ...stepText(isTold ? steps[index] : undefined),
        ...facts,
      };
    });
    const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);
    return {
      id: image.id,
      sizeBytes: sum(layers.map(({ sizeBytes }) => sizeBytes)),
      wastedBytes: sum(layers.map(({ wastedBytes }) => wastedBytes)),
      layers,
    };
  }

  async tree(image: Image, request: TreeRequest, signal: AbortSignal): Promise<SkiffTree> {
    const { layer, ...rest } = request;
    const stack = this.#stackOf(image, layer);
    const result = await this.#run({ verb: 'tree', stack: this.#places(stack), ...rest }, stack, signal);
    if (result.is !== 'tree') throw wrongAnswer();
    const { tree, next } = result;
    const at = Math.max(0, stack.length - 1);
    return { id: image.id, layer: at, view: request.view, ...tree, next: next === null ? null : String(next) };
  }

  /** Links are followed inside the image. Throws `not-found`, and `invalid` for what is no file. */
  async file(
    image: Image,
    place: { readonly path: string; readonly layer: number | null },
    signal: AbortSignal,
  ): Promise<FoundFile> {
    const stack = this.#stackOf(image, place.layer);
    const hold = this.#layers.hold(stack.map(({ chainId }) => chainId));
    try {
      const result = await this.#run({ verb: 'locate', stack: this.#places(stack), path: place.path }, stack, signal);
      const folder = result.is === 'place' ? stack[result.layer]?.folder : undefined;
      if (result.is !== 'place' || folder === undefined) throw wrongAnswer();
      const fd = openLayerFile(folder, result.path);
      return { fd, sizeBytes: result.sizeBytes, [Symbol.dispose]: () => hold[Symbol.dispose]() };
    } catch (error) {
      hold[Symbol.dispose]();
      throw error;
    }
  }

  async waste(image: Image, limit: number, signal: AbortSignal): Promise<SkiffWaste> {
    const stack = this.#stackOf(image);
    const result = await this.#run({ verb: 'waste', stack: this.#places(stack), limit }, stack, signal);
    if (result.is !== 'waste') throw wrongAnswer();
    return { id: image.id, ...result.waste };
  }

  async compare(
    images: { readonly from: Image; readonly to: Image },
    page: { readonly offset: number; readonly limit: number },
    signal: AbortSignal,
  ): Promise<SkiffComparison> {
    const [from, to] = [this.#stackOf(images.from), this.#stackOf(images.to)];
    const job = { verb: 'compare', from: this.#places(from), to: this.#places(to), ...page } as const;
    const result = await this.#run(job, [...from, ...to], signal);
    if (result.is !== 'comparison') throw wrongAnswer();
    const sizeOf = (stack: readonly Layer[]): number => stack.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const shared = new Set(from.map(({ chainId }) => chainId));
    const configOf = (image: Image): string => this.#images.source(image.id).configText;
    return {
      from: { id: images.from.id, sizeBytes: sizeOf(from) },
      to: { id: images.to.id, sizeBytes: sizeOf(to) },
      sharedLayers: to.filter(({ chainId }) => shared.has(chainId)).length,
      ...result.comparison,
      next: result.next === null ? null : String(result.next),
      config: configChanges(configOf(images.from), configOf(images.to)),
      packages: result.packages,
    };
  }

  /**
   * Two folders side by side, each on top of the same layers (bottom first) and one more folder above these: what a container
   * wrote at two moments. A folder may change while it is read: what vanishes is passed over.
   */
  async compareFolders(
    folders: { readonly layers: readonly Layer[]; readonly above: string; readonly from: string; readonly to: string },
    page: { readonly offset: number; readonly limit: number },
    signal: AbortSignal,
  ): Promise<Pick<SkiffComparison, 'added' | 'changed' | 'removed' | 'files' | 'next'>> {
    const { layers, above, from, to } = folders;
    const { offset, limit } = page;
    const stackWith = (top: string): readonly StackedLayer[] => [
      ...this.#places(layers),
      ...[above, top].map((folder) => ({ chainId: null, folder, recipe: null })),
    ];
    const job = { verb: 'compare', from: stackWith(from), to: stackWith(to), offset, limit } as const;
    const result = await this.#run(job, layers, signal);
    if (result.is !== 'comparison') throw wrongAnswer();
    return { ...result.comparison, next: result.next === null ? null : String(result.next) };
  }

  /** Bottom first; up to and with `layer`. */
  #stackOf(image: Image, layer: number | null = null): readonly Layer[] {
    const stack = [...this.#images.layers(image.id)].reverse();
    if (layer === null) return stack;
    if (layer < 0 || layer >= stack.length)
      throw invalid(`layer ${layer} is not in this image: it has ${stack.length}, counted from 0 at the bottom`);
    return stack.slice(0, layer + 1);
  }

  #places(stack: readonly Layer[]): readonly StackedLayer[] {
    return stack.map(({ chainId, folder }) => ({ chainId, folder, recipe: this.#layers.recipeFile(chainId) }));
  }

  async #run(job: ExplorerJob, layers: readonly Layer[], signal: AbortSignal): Promise<ExplorerResult> {
    using _hold = this.#layers.hold(layers.map(({ chainId }) => chainId));
    let isRefused = false;
    return await this.#pool.run(
      async (worker) => {
        const { promise, resolve, reject } = Promise.withResolvers<ExplorerResult>();
        worker.listen((message) => {
          const report = message as ExplorerReport; // from our own program, of the same build
          if (report.kind === 'done') return resolve(report.result);
          isRefused = true;
          reject(new EngineError(report.error, report.message));
        }, reject);
        const onAbort = (): void => reject(signal.reason);
        signal.addEventListener('abort', onAbort, { once: true });
        const late = setTimeout(() => reject(internal(`${job.verb} took more than ${longestMs} ms`)), longestMs);
        worker.send(job);
        try {
          return await promise;
        } finally {
          clearTimeout(late);
          signal.removeEventListener('abort', onAbort);
        }
      },
      signal,
      () => isRefused,
    );
  }
}

function stepText(step: HistoryEntry | undefined): {
  readonly instruction: string | null;
  readonly comment: string | null;
  readonly createdAt: string | null;
} {
  const createdAt = step?.createdAt ?? null;
  return {
    instruction: step?.createdBy || null,
    comment: step?.comment || null,
    createdAt: createdAt === null ? null : formatInstant(createdAt),
  };
}

function wrongAnswer(): Error {
  return internal('the explorer program gave another answer than asked for');
}
