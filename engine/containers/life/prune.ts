import { conflict, EngineError } from '../../model/errors.ts';
import type { Filters } from '../../model/filters.ts';
import type { ContainerId } from '../../model/ids.ts';
import { parseInstant } from '../../model/time.ts';
import { passesPruneLabels, pruneUntil } from '../../model/until.ts';
import type { Container } from '../container.ts';
import type { Parts } from '../parts.ts';
import { removeContainer } from './remove.ts';
import { countsAsRunning } from '../state.ts';

export const containerPruneFilterKeys = ['label', 'label!', 'until'];

export interface PrunedContainers {
  readonly ids: readonly ContainerId[];
  /** Bytes of their own layers. */
  readonly reclaimedBytes: number;
}

/** One prune at a time: two would count the same containers twice. */
export class ContainerPrune {
  #state: 'idle' | 'running' = 'idle';

  /** Removes what does not run and passes the filters; volumes stay. Throws `conflict` while another prune runs. */
  async run(parts: Parts, filters: Filters): Promise<PrunedContainers> {
    if (this.#state === 'running') throw conflict('a prune operation is already running');
    const until = pruneUntil(filters, parts.now());
    this.#state = 'running';
    try {
      const chosen = parts.directory
        .all()
        .filter(
          ({ spec, state }) =>
            !countsAsRunning(state) &&
            state.status !== 'removing' &&
            (until === null || (parseInstant(spec.createdAt) ?? 0n) < until) &&
            passesPruneLabels(filters, spec.labels),
        );
      const ids: ContainerId[] = [];
      let reclaimedBytes = 0;
      for (const container of chosen) {
        const sizeBytes = await removed(parts, container);
        if (sizeBytes === null) continue;
        ids.push(container.id);
        reclaimedBytes += sizeBytes;
      }
      parts.events.publish({
        type: 'container',
        action: 'prune',
        actorId: '',
        attributes: { reclaimed: String(reclaimedBytes) },
      });
      return { ids, reclaimedBytes };
    } finally {
      this.#state = 'idle';
    }
  }
}

/** The bytes that it had written; null when it is still there, or went by another way: somebody started it, or removed it. */
async function removed(parts: Parts, container: Container): Promise<number | null> {
  try {
    const [sizes] = await parts.roots.sizes([container.id]);
    await removeContainer(parts, container, { isForced: false, removesVolumes: false });
    return sizes?.writtenBytes ?? 0;
  } catch (error) {
    const isPassedOver = error instanceof EngineError && (error.kind === 'conflict' || error.kind === 'not-found');
    if (!isPassedOver) parts.log.warn('container could not be pruned', { container: container.id, error });
    return null;
  }
}
