import type { Endpoint } from '../networks/networks.ts';
import type { Container } from './container.ts';
import type { Parts } from './parts.ts';

/** Attributes of a container's events are its labels, its image and its name, and what the action adds. */
export function publishContainerEvent(
  parts: Pick<Parts, 'events'>,
  container: Container,
  action: string,
  extra: Readonly<Record<string, string>> = {},
): void {
  const { id, name, spec } = container;
  parts.events.publish({
    type: 'container',
    action,
    actorId: id,
    attributes: { ...spec.labels, ...extra, image: spec.imageName, name },
  });
}

export function publishNetworkEvent(
  parts: Pick<Parts, 'events'>,
  container: Container,
  action: 'connect' | 'disconnect',
  endpoints: readonly Endpoint[],
): void {
  for (const { networkId, networkName } of endpoints) {
    parts.events.publish({
      type: 'network',
      action,
      actorId: networkId,
      attributes: { container: container.id, name: networkName, type: networkName },
    });
  }
}
