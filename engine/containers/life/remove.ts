import { conflict } from '../../model/errors.ts';
import type { Container } from '../container.ts';
import { publishContainerEvent } from '../container-events.ts';
import { removeAnonymousVolumes } from '../mounts/create-mounts.ts';
import type { Parts } from '../parts.ts';
import { countsAsRunning, lastExit } from '../state.ts';
import { endNow } from './stop.ts';

/**
 * Removes a container with everything that belongs to it. Throws `conflict` for a running one unless forced (then it is
 * killed first), and while another removal is under way.
 */
export async function removeContainer(
  parts: Parts,
  container: Container,
  options: { readonly isForced: boolean; readonly removesVolumes: boolean },
): Promise<void> {
  const { status } = container.state;
  if (status === 'removing') throw inProgress(container);
  if (countsAsRunning(container.state)) {
    if (!options.isForced) {
      const advice =
        status === 'paused' ? ' and must be unpaused first' : ': stop the container before removing or force remove';
      throw conflict(`cannot remove container "${container.name}": container is ${status}${advice}`);
    }
    await endNow(parts, container);
  }
  await container.queue.run(() => remove(parts, container, options));
}

/** Where nobody waits for the answer: with `--rm`, and at boot. With `--rm` its anonymous volumes go too. What goes wrong stands in the log and in the state. */
export async function removeQuietly(
  parts: Parts,
  container: Container,
  options: { readonly removesVolumes: boolean } = { removesVolumes: container.spec.isAutoRemoved },
): Promise<void> {
  try {
    await container.queue.run(() => remove(parts, container, options));
  } catch (error) {
    parts.log.error('container could not be removed', { container: container.id, error });
  }
}

async function remove(
  parts: Parts,
  container: Container,
  { removesVolumes }: { readonly removesVolumes: boolean },
): Promise<void> {
  const { rows, roots, directory } = parts;
  const { id, state } = container;
  // --rm may have been faster than a client's rm: what was asked for has happened.
  if (directory.byId(id) === undefined) return;
  if (state.status === 'removing') throw inProgress(container);
  if (countsAsRunning(state))
    throw conflict(`cannot remove container "${container.name}": it was started again meanwhile`);
  const removing = { status: 'removing', before: lastExit(state) } as const;
  rows.settleInto(id, removing, { verb: 'remove', removesVolumes });
  container.moveTo(removing);
  try {
    await roots.remove(id);
    if (removesVolumes) await removeAnonymousVolumes(parts, container);
    rows.delete(id);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const dead = { status: 'dead', before: removing.before, reason } as const;
    rows.settle(id, dead);
    container.moveTo(dead);
    container.wakeRemoved(reason);
    throw error;
  }
  directory.remove(container);
  parts.health.forget(id);
  parts.memory.forget(id);
  container.wakeRemoved(null);
  publishContainerEvent(parts, container, 'destroy');
}

function inProgress(container: Container): Error {
  return conflict(`removal of container ${container.id} is already in progress`);
}
