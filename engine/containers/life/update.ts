import { conflict, EngineError } from '../../model/errors.ts';
import { applyLimits } from '../../runtime/update.ts';
import { cgroupOf } from '../oci/cgroup-of.ts';
import type { Container } from '../container.ts';
import { publishContainerEvent } from '../container-events.ts';
import { limitsOf } from '../spec/limits-of.ts';
import type { Parts } from '../parts.ts';
import { updatedResources } from '../spec/resource-limits.ts';
import type { ContainerSpec, ResourceSpec, RestartPolicySpec } from '../spec/spec.ts';
import { liveState } from '../state.ts';

export interface ContainerUpdate {
  /** What is null stays as it is. */
  readonly resources: ResourceSpec;
  readonly restartPolicy: RestartPolicySpec | null;
}

/**
 * Changes limits, at once where it runs, and the restart policy, which holds from the next exit on. Returns docker's warnings.
 * When the kernel refuses a limit all is as it was, and it throws. Throws `invalid`, and `conflict` for what does not go with
 * what is there.
 */
export async function updateContainer(
  parts: Parts,
  container: Container,
  update: ContainerUpdate,
): Promise<readonly string[]> {
  return await container.queue.run(async () => {
    const { spec, state, id } = container;
    const cannot = (why: string): Error => conflict(`Cannot update container ${id}: ${why}`);
    if (state.status === 'removing' || state.status === 'dead')
      throw cannot('Container is marked for removal and cannot be "update".');
    if (update.restartPolicy !== null && update.restartPolicy.name !== 'no' && spec.isAutoRemoved)
      throw cannot('Restart policy cannot be updated because AutoRemove is enabled for the container');
    const { resources, warnings } = merge(parts, spec, { asked: update.resources, cannot });
    const next = { ...spec, resources, restartPolicy: update.restartPolicy ?? spec.restartPolicy };
    if (liveState(state) === null) parts.rows.changeSpec(id, next);
    else apply(parts, container, next);
    container.changeSpec(next);
    publishContainerEvent(parts, container, 'update');
    await Promise.resolve();
    return warnings;
  });
}

function merge(
  { host }: Parts,
  { resources }: ContainerSpec,
  update: { readonly asked: ResourceSpec; readonly cannot: (why: string) => Error },
): ReturnType<typeof updatedResources> {
  try {
    return updatedResources(resources, update.asked, host.controls);
  } catch (error) {
    if (error instanceof EngineError && error.kind === 'conflict') throw update.cannot(error.message);
    throw error;
  }
}

/** The new limits are in the row before they are in the kernel, with what they were: boot finishes what was interrupted. */
function apply(parts: Parts, container: Container, next: ContainerSpec): void {
  const { id, spec, state } = container;
  parts.rows.changeSpecInto(id, next, { verb: 'update', before: spec.resources });
  try {
    writeLimits(parts, container, { before: spec.resources, after: next.resources });
  } catch (error) {
    parts.rows.changeSpec(id, spec);
    parts.rows.settle(id, state);
    throw error;
  }
  parts.rows.settle(id, state);
}

function writeLimits(
  parts: Parts,
  container: Container,
  change: { readonly before: ResourceSpec; readonly after: ResourceSpec },
): void {
  applyLimits({
    cgroup: cgroupOf(parts, container),
    before: limitsOf(change.before),
    after: limitsOf(change.after),
    host: parts.host,
  });
}

/** After a crash in the middle: the limits of the row, or, when the kernel refuses them, those of before. */
export function finishUpdate(parts: Parts, container: Container, before: ResourceSpec): void {
  const { id, spec, state } = container;
  if (liveState(state) !== null) {
    try {
      writeLimits(parts, container, { before, after: spec.resources });
    } catch (error) {
      parts.log.warn('an interrupted update was taken back', { container: id, error });
      const restored = { ...spec, resources: before };
      parts.rows.changeSpec(id, restored);
      container.changeSpec(restored);
    }
  }
  parts.rows.settle(id, state);
}
