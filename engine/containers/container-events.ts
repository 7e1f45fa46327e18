import type { EndpointPlan } from '../networks/networks.ts';
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
  parts: Pick<Parts, 'events' | 'networks'>,
  container: Container,
  action: 'connect' | 'disconnect',
  plan: Pick<EndpointPlan, 'mode' | 'endpoints'>,
): void {
  const { mode, endpoints } = plan;
  for (const { networkId, networkName, driver } of endpoints) {
    parts.events.publish({
      type: 'network',
      action,
      actorId: networkId,
      attributes: { container: container.id, name: networkName, type: driver },
    });
  }
  if (mode !== 'host' && mode !== 'none') return;
  const { id, name, driver } = parts.networks.find(mode);
  parts.events.publish({
    type: 'network',
    action,
    actorId: id,
    attributes: { container: container.id, name, type: driver },
  });
}
