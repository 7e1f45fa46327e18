import { cgroupPath } from '../../runtime/container-settings.ts';
import type { Container } from '../container.ts';
import type { Parts } from '../parts.ts';

/** A container's cgroup, the same path in each hierarchy: `/skiff-<engine>/<id>`, or below the one that was asked for. */
export function cgroupOf(parts: Pick<Parts, 'engineName'>, container: Container): string {
  return cgroupPath(parts.engineName, container.id, container.spec.resources.cgroupParent);
}
