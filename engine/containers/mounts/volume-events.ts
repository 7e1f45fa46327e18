import type { Container } from '../container.ts';
import type { Parts } from '../parts.ts';

/** `mount`: for each volume that the container runs with, in the order of its mounts. */
export function publishVolumesMounted({ events }: Pick<Parts, 'events'>, container: Container): void {
  for (const mount of container.spec.mounts) {
    if (mount.kind !== 'volume') continue;
    const attributes = {
      container: container.id,
      destination: mount.target,
      driver: 'local',
      propagation: '',
      'read/write': String(!mount.isReadOnly),
    };
    events.publish({ type: 'volume', action: 'mount', actorId: mount.name, attributes });
  }
}

export function publishVolumesUnmounted(
  { events }: Pick<Parts, 'events'>,
  container: Container,
  names: readonly string[],
): void {
  for (const name of names) {
    const attributes = { container: container.id, driver: 'local' };
    events.publish({ type: 'volume', action: 'unmount', actorId: name, attributes });
  }
}
