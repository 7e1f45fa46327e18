import { conflict, internal } from '../../model/errors.ts';
import { freeze, isFrozen, thaw } from '../../runtime/freezer.ts';
import { cgroupOf } from '../oci/cgroup-of.ts';
import type { Container } from '../container.ts';
import { publishContainerEvent } from '../container-events.ts';
import { withoutProbes } from '../restarts/history.ts';
import type { Parts } from '../parts.ts';
import { liveState, type PausedState } from '../state.ts';

/** Freezes all processes. Throws `conflict` when it does not run, or is paused already. */
export async function pauseContainer(parts: Parts, container: Container): Promise<void> {
  await container.queue.run(async () => {
    const { state, id } = container;
    if (state.status === 'paused') throw conflict(`Container ${id} is already paused`);
    if (state.status === 'restarting')
      throw conflict(`Container ${id} is restarting, wait until the container is running`);
    if (state.status !== 'running') throw conflict(`container ${id} is not running`);
    parts.rows.begin(id, { verb: 'pause' });
    try {
      await freeze(cgroupOf(parts, container));
    } catch (error) {
      parts.rows.settle(id, state);
      throw error;
    }
    const paused = { ...state, status: 'paused' } as const;
    const history = withoutProbes(container.history);
    parts.rows.settle(id, paused, history);
    container.changeHistory(history);
    container.moveTo(paused);
    publishContainerEvent(parts, container, 'pause');
  });
}

/** Lets them go on. Throws `internal` when it is not paused: a client's mistake, and yet dockerd's 500. */
export async function unpauseContainer(parts: Parts, container: Container): Promise<void> {
  await container.queue.run(async () => {
    const { state } = container;
    if (state.status !== 'paused') throw internal(`Container ${container.id} is not paused`);
    unpause(parts, container, state);
    await Promise.resolve();
  });
}

/** To be run in the container's queue. */
export function unpause(parts: Parts, container: Container, paused: PausedState): void {
  const { id } = container;
  parts.rows.begin(id, { verb: 'unpause' });
  thaw(cgroupOf(parts, container));
  const running = { ...paused, status: 'running' } as const;
  parts.rows.settle(id, running);
  container.moveTo(running);
  publishContainerEvent(parts, container, 'unpause');
}

/** After a crash in the middle the kernel knows which of the two it is. */
export function settlePause(parts: Parts, container: Container): void {
  const state = liveState(container.state);
  if (state === null) return;
  const status = isFrozen(cgroupOf(parts, container)) ? 'paused' : 'running';
  const settled = { ...state, status } as const;
  parts.rows.settle(container.id, settled);
  if (state.status !== status) container.moveTo(settled);
}
