/** The layers of one pull: downloads that are shared with other pulls, and the unpacks that follow them. */
import type { Content } from '../content/content.ts';
import type { GrowingFile } from '../content/growth.ts';
import type { LayerStore } from '../layers/layer-store.ts';
import type { ChainId, DiffId } from '../model/ids.ts';
import { type Download, Downloads, SpoiltRemains } from './downloads.ts';
import { LayerReport, type Tell } from './layer-report.ts';
import type { PlannedLayer, PullPlan } from './pull-plan.ts';

/** One try at the layers that are not there. */
interface Attempt {
  readonly plan: PullPlan;
  readonly missing: readonly MissingLayer[];
}

interface MissingLayer extends PlannedLayer {
  readonly report: LayerReport;
}

/** Of a layer that is there already, nothing is read. */
const nothing = { file: '', offset: 0, sizeBytes: 0 };

export class LayerPulls {
  readonly #layers: LayerStore;
  readonly #downloads: Downloads;
  readonly #nowMs: () => number;

  /** `mostDownloads`: at a time, of all pulls together. */
  constructor(parts: {
    readonly content: Content;
    readonly layers: LayerStore;
    readonly mostDownloads: number;
    readonly nowMs: () => number;
  }) {
    this.#layers = parts.layers;
    this.#downloads = new Downloads({ content: parts.content, most: parts.mostDownloads });
    this.#nowMs = parts.nowMs;
  }

  /** All layers are in the store when it resolves; when it rejects, nothing of it goes on. The caller holds their chain ids and blobs. */
  async fetch(plan: PullPlan, tell: Tell, signal: AbortSignal): Promise<void> {
    const missing = plan.layers.flatMap((layer): readonly MissingLayer[] => {
      const { digest, sizeBytes: totalBytes } = layer.descriptor;
      const report = new LayerReport({ digest, totalBytes, tell, nowMs: this.#nowMs });
      const isThere = this.#layers.find(layer.chainId) !== null;
      report.say(isThere ? 'Already exists' : 'Pulling fs layer');
      return isThere ? [] : [{ ...layer, report }];
    });
    if (missing.length === 0) return;
    try {
      await this.#attempt({ plan, missing }, signal);
    } catch (error) {
      if (!(error instanceof SpoiltRemains)) throw error;
      await this.#attempt({ plan, missing }, signal);
    }
  }

  async #attempt(attempt: Attempt, signal: AbortSignal): Promise<void> {
    const { plan, missing } = attempt;
    const failed = new AbortController();
    const either = AbortSignal.any([signal, failed.signal]);
    using shares = new DisposableStack();
    const coming = missing.map(({ descriptor, report }) =>
      shares.use(this.#downloads.join({ ...descriptor, ...report.listener, repository: plan.repository })),
    );
    const adding = this.#add(attempt, coming, either);
    try {
      await untilAborted(Promise.all([adding, ...coming.map(({ done }) => done)]), either);
    } catch (error) {
      const cause = signal.aborted ? error : await blame(error, coming);
      failed.abort(cause);
      await Promise.allSettled([adding]);
      throw cause;
    }
  }

  async #add(attempt: Attempt, coming: readonly Download[], signal: AbortSignal): Promise<void> {
    const { plan, missing } = attempt;
    const files = await untilAborted(Promise.all(coming.map(({ file }) => file)), signal);
    const sources = new Map<ChainId, GrowingFile | undefined>(
      missing.map(({ chainId }, index) => [chainId, files[index]] as const),
    );
    const byDiffId = new Map<DiffId, LayerReport>(missing.map(({ diffId, report }) => [diffId, report] as const));
    const byChainId = new Map<ChainId, LayerReport>(missing.map(({ chainId, report }) => [chainId, report] as const));
    const incoming = plan.layers.map(({ diffId, chainId }) => ({
      diffId,
      source: sources.get(chainId) ?? nothing,
      blobDigest: null, // the content store checks it
    }));
    await this.#layers.add(incoming, {
      signal,
      durability: 'soon',
      onProgress: ({ diffId, readBytes }) => byDiffId.get(diffId)?.onUnpack(readBytes),
      onAdded: (chainId) => byChainId.get(chainId)?.onAdded(),
    });
  }
}

/**
 * Which error to show when unpack and download fail of one cause: the download's, which the unpack only noticed. It says more, and
 * may be one that a second try mends.
 */
async function blame(error: unknown, coming: readonly Download[]): Promise<unknown> {
  for (const { opened, done } of coming) {
    if (opened()?.growth.state.kind !== 'failed') continue;
    const [outcome] = await Promise.allSettled([done]);
    if (outcome.status === 'rejected') return outcome.reason;
  }
  return error;
}

async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  // Who goes first does not hear of the other's failure.
  work.catch(() => undefined);
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
