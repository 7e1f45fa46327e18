import { EngineError } from '../../model/errors.ts';
import type { Filters } from '../../model/filters.ts';
import { type Instant, parseInstant } from '../../model/time.ts';
import { passesPruneLabels, pruneUntil } from '../../model/until.ts';
import type { Network, Networks } from '../../networks/networks.ts';

export const networkPruneFilterKeys = ['label', 'label!', 'until'];

/** Removes the networks of clients in which no container runs. Returns those that went. */
export async function pruneNetworks(networks: Networks, filters: Filters, now: Instant): Promise<readonly Network[]> {
  const until = pruneUntil(filters, now);
  const candidates = networks
    .all()
    .filter(
      (network) =>
        !network.isBuiltIn &&
        passesPruneLabels(filters, network.labels) &&
        (until === null || (parseInstant(network.createdAt) ?? 0n) < until),
    );
  const removed: Network[] = [];
  for (const network of candidates) {
    try {
      await networks.remove(network);
      removed.push(network);
    } catch (error) {
      // In use, or somebody else's prune was faster: not for us.
      if (!(error instanceof EngineError) || !['forbidden', 'not-found', 'conflict'].includes(error.kind)) throw error;
    }
  }
  return removed;
}
