import type { ContainerId } from '../../model/ids.ts';
import type { Container } from '../container.ts';
import type { Directory } from '../directory.ts';
import type { Parts } from '../parts.ts';
import { startContainer } from '../life/start.ts';

/** Starts at once: more would only make each other, and those who use the API meanwhile, wait. */
const mostAtOnce = 8;

/** Starts what boot found ended and wanted; who lives in another's namespaces comes after that one. What fails stands in its state. */
export async function startAtBoot(parts: Parts, wanted: readonly Container[]): Promise<void> {
  const waiting = new Map(wanted.map((container) => [container.id, container]));
  const underWay = new Map<ContainerId, Promise<void>>();
  while (waiting.size > 0 || underWay.size > 0) {
    const ready = [...waiting.values()].filter((container) =>
      hosts(parts.directory, container).every((id) => id === undefined || !(waiting.has(id) || underWay.has(id))),
    );
    // Two that live in each other's namespaces cannot be started at all; their starts say so.
    const next = ready.length > 0 || underWay.size > 0 ? ready : [...waiting.values()];
    for (const container of next.slice(0, mostAtOnce - underWay.size)) {
      waiting.delete(container.id);
      underWay.set(
        container.id,
        startQuietly(parts, container).finally(() => underWay.delete(container.id)),
      );
    }
    await Promise.race(underWay.values());
  }
}

async function startQuietly(parts: Parts, container: Container): Promise<void> {
  try {
    await startContainer(parts, container);
  } catch (error) {
    parts.log.warn('container could not be started again at boot', { container: container.id, error });
  }
}

/** Containers whose namespaces it joins; who is no more is nobody to wait for. */
function hosts(directory: Directory, { spec }: Container): readonly (ContainerId | undefined)[] {
  const shares = [spec.network.mode, spec.namespaces.pid, spec.namespaces.ipc];
  return shares.flatMap((share) => (typeof share === 'object' ? directory.byIdOrName(share.container)?.id : []));
}
