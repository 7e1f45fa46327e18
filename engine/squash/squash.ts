/** Merging layers of an image into one, see README.md. The work is done in a process of its own; here it is put together. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { SkiffSquashed } from '../../api/skiff.ts';
import type { Image } from '../images/image.ts';
import type { Images } from '../images/images.ts';
import type { Reference } from '../images/reference.ts';
import { WorkerPool } from '../kernel/worker-pool.ts';
import { WorkerProcess } from '../kernel/worker-process.ts';
import { chainIds, type IncomingLayer, type Layer, type LayerStore } from '../layers/layer-store.ts';
import { internal, invalid } from '../model/errors.ts';
import type { Digest } from '../model/ids.ts';
import { mergedConfig, type Range } from './merged-config.ts';
import type { SquashJob, SquashReport } from './squash-protocol.ts';

const heapMegabytes = 512;
const stallMs = 600_000;

export interface SquashRequest {
  /** Null: the bottom. */
  readonly from: number | null;
  /** Null: the top. */
  readonly to: number | null;
  /** Names for the new image, with a tag each. */
  readonly names: readonly Reference[];
  readonly signal: AbortSignal;
}

export class Squasher implements AsyncDisposable {
  readonly #images: Images;
  readonly #layers: LayerStore;
  readonly #incoming: string;
  readonly #pool: WorkerPool;
  readonly #reach: (point: string) => void;

  /** `program`: absolute path of `squash.worker.ts`, or of its bundle. `reach`: told each step at which a test may end the engine. */
  constructor(parts: {
    readonly images: Images;
    readonly layers: LayerStore;
    readonly dataRoot: string;
    readonly program: string;
    readonly reach: (point: string) => void;
  }) {
    this.#images = parts.images;
    this.#layers = parts.layers;
    this.#reach = parts.reach;
    // Boot deletes what is left in it.
    this.#incoming = path.join(parts.dataRoot, 'incoming');
    this.#pool = new WorkerPool({
      start: () => new WorkerProcess({ program: parts.program, heapMegabytes }),
      most: 1,
      idleMs: 2_000,
      whenClosed: 'the engine is stopping: no image is squashed any more',
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#pool[Symbol.asyncDispose]();
  }

  /**
   * The image with its layers `from` to `to` merged; the image itself where they are one already. Nothing is left when it
   * throws: `invalid` for a range that is none, `conflict` when layers above the range cannot be put together again, `internal`
   * when there is no space.
   */
  async squash(
    image: Image,
    request: SquashRequest,
  ): Promise<{ readonly image: Image; readonly report: SkiffSquashed }> {
    const stack = [...this.#images.layers(image.id)].reverse();
    const range = checkedRange(request, stack.length);
    const { configText } = this.#images.source(image.id);
    using _hold = this.#layers.hold(stack.map(({ chainId }) => chainId));
    if (range.to - range.from < 1) {
      const { image: same } = await this.#images.publish({ configText, names: request.names });
      return { image: same, report: reportOf(image, { image: same, range, before: stack, after: stack }) };
    }
    mkdirSync(this.#incoming, { recursive: true, mode: 0o700 });
    const files = new Files(this.#incoming);
    try {
      const made = await this.#merge(image, { stack, range, configText, files }, request);
      const after = [...this.#images.layers(made.id)].reverse();
      return { image: made, report: reportOf(image, { image: made, range, before: stack, after }) };
    } finally {
      files.remove();
    }
  }

  async #merge(
    image: Image,
    what: {
      readonly stack: readonly Layer[];
      readonly range: Range;
      readonly configText: string;
      readonly files: Files;
    },
    { names, signal }: SquashRequest,
  ): Promise<Image> {
    const { stack, range, configText, files } = what;
    const below = stack.slice(0, range.from);
    const topmostFirst = (layers: readonly Layer[]): readonly string[] => layers.map(({ folder }) => folder).reverse();
    const file = files.add();
    const { digest, sizeBytes } = await this.#write(
      { range: topmostFirst(stack.slice(range.from, range.to + 1)), lowers: topmostFirst(below), file },
      signal,
    );
    this.#reach('squash:merged');
    const merged: IncomingLayer = { diffId: digest, blobDigest: null, source: { file, offset: 0, sizeBytes } };
    const above = stack.slice(range.to + 1);
    const diffIds = [...below, merged, ...above].map(({ diffId }) => diffId);
    const chain = chainIds(diffIds);
    using _hold = this.#layers.hold(chain);
    const incoming: IncomingLayer[] = [];
    for (const [index, layer] of [...below, merged, ...above].entries()) {
      const chainId = chain[index];
      if (!('folder' in layer)) incoming.push(layer);
      // Those that are there are not read: what would be read does not matter.
      else if (chainId === undefined || this.#layers.find(chainId) !== null)
        incoming.push({ ...merged, diffId: layer.diffId });
      else incoming.push(await this.#again(layer, files, signal));
    }
    try {
      await this.#layers.add(incoming, { signal, onProgress: () => undefined });
      this.#reach('squash:unpacked');
      const config = mergedConfig(configText, { source: image.id, range, diffId: digest });
      return (await this.#images.publish({ configText: config, names, parent: null })).image;
    } catch (error) {
      _hold[Symbol.dispose]();
      await this.#layers.collect();
      throw error;
    }
  }

  /** A layer above the range stands on another one now: the same tar is unpacked anew. */
  async #again(layer: Layer, files: Files, signal: AbortSignal): Promise<IncomingLayer> {
    const file = files.add();
    const tar = this.#layers.tarOf(layer.chainId, { signal });
    await writeFile(file, tar.bytes, { flag: 'wx', mode: 0o600, signal });
    const { sizeBytes } = tar.result();
    return { diffId: layer.diffId, blobDigest: null, source: { file, offset: 0, sizeBytes } };
  }

  async #write(job: SquashJob, signal: AbortSignal): Promise<{ readonly digest: Digest; readonly sizeBytes: number }> {
    return await this.#pool.run(async (worker) => {
      const { promise, resolve, reject } = Promise.withResolvers<{ digest: Digest; sizeBytes: number }>();
      const onAbort = (): void => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      let stall: NodeJS.Timeout | undefined;
      const expectSign = (): void => {
        clearTimeout(stall);
        stall = setTimeout(() => reject(internal(`squash gave no sign of life for ${stallMs} ms`)), stallMs);
      };
      worker.listen((message) => {
        expectSign();
        const report = message as SquashReport; // from our own program, of the same build
        if (report.kind === 'done') resolve(report);
        else if (report.kind === 'failed') reject(internal(`the layers could not be merged: ${report.message}`));
      }, reject);
      expectSign();
      worker.send(job);
      try {
        return await promise;
      } finally {
        clearTimeout(stall);
        signal.removeEventListener('abort', onAbort);
      }
    }, signal);
  }
}

/** Files that live as long as one squash. */
class Files {
  readonly #folder: string;
  readonly #files: string[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  add(): string {
    const file = path.join(this.#folder, `${randomBytes(8).toString('hex')}.squash`);
    this.#files.push(file);
    return file;
  }

  remove(): void {
    for (const file of this.#files) rmSync(file, { force: true });
  }
}

function checkedRange(request: Pick<SquashRequest, 'from' | 'to'>, layers: number): Range {
  const [from, to] = [request.from ?? 0, request.to ?? layers - 1];
  if (layers === 0) throw invalid('this image has no layers: there is nothing to merge');
  if (from < 0 || to >= layers || from > to)
    throw invalid(
      `from ${from} to ${to} is no range of this image's layers, which are 0 (the bottom) to ${layers - 1}`,
    );
  return { from, to };
}

function reportOf(
  source: Image,
  made: {
    readonly image: Image;
    readonly range: Range;
    readonly before: readonly Layer[];
    readonly after: readonly Layer[];
  },
): SkiffSquashed {
  const { image, range, before, after } = made;
  const bytesOf = (stack: readonly Layer[]): number => stack.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const [bytesBefore, bytesAfter] = [bytesOf(before), bytesOf(after)];
  return {
    id: image.id,
    source: source.id,
    ...range,
    layersBefore: before.length,
    layersAfter: after.length,
    bytesBefore,
    bytesAfter,
    savedBytes: bytesBefore - bytesAfter,
  };
}
