import { formatInstant, parseInstant } from '../../model/time.ts';
import type { ExitRecord } from '../../monitor/monitor.ts';
import type { Container } from '../container.ts';
import { publishContainerEvent, publishNetworkEvent } from '../container-events.ts';
import type { Parts } from '../parts.ts';
import { withoutProbes } from '../restarts/history.ts';
import { removeQuietly } from './remove.ts';
import { restartDelayMs } from '../restarts/restart-policy.ts';
import { restartByPolicy, undoStart } from './start.ts';
import { type ContainerState, type Exit, liveState, type LiveState } from '../state.ts';

/** The monitor says that a container has ended. May come twice for one exit; the second finds it written already. */
export async function handleExit(parts: Parts, record: ExitRecord): Promise<void> {
  const container = parts.directory.byId(record.id);
  if (container === undefined) return await parts.monitor.acknowledge(record.id);
  await container.queue.run(async () => {
    const state = liveState(container.state);
    if (state !== null && state.pid !== record.pid) return; // acknowledged before it was started again
    if (state !== null) {
      await settleExit(parts, container, state, {
        exitCode: record.exitCode,
        startedAt: state.startedAt,
        finishedAt: formatInstant(record.finishedAt),
        isOutOfMemory: record.isOutOfMemory,
        error: record.isExitCodeKnown
          ? ''
          : 'the exit code was lost: the process that watched the container was killed',
      });
    }
    // Only now: a crash before this line makes the monitor tell it again.
    await parts.monitor.acknowledge(record.id);
  });
}

/** To be run in the container's queue. The row is written first; then those who watch and those who wait are told. */
export async function settleExit(parts: Parts, container: Container, live: LiveState, exit: Exit): Promise<void> {
  const { id, spec, isBeingRestarted } = container;
  const durationMs = millisecondsBetween(exit);
  const delayMs = restartDelayMs(spec.restartPolicy, container.history, { exitCode: exit.exitCode, durationMs });
  const history = withoutProbes({ ...container.history, finishedAt: exit.finishedAt });
  const state: ContainerState =
    delayMs === null
      ? { status: 'exited', ...exit }
      : { status: 'restarting', ...exit, restartAt: formatInstant(parts.now() + BigInt(delayMs) * 1_000_000n) };
  const restarted =
    delayMs === null ? history : { ...history, restartCount: history.restartCount + 1, restartDelayMs: delayMs };
  // A restart by hand is finished at boot when the engine dies in the middle of it.
  if (isBeingRestarted) parts.rows.settleInto(id, state, { verb: 'restart' }, restarted);
  else parts.rows.settle(id, state, restarted);
  container.changeHistory(restarted);
  container.moveTo(state);
  if (exit.isOutOfMemory && !container.hasMemoryKills) publishContainerEvent(parts, container, 'oom');
  publishContainerEvent(parts, container, 'die', {
    exitCode: String(exit.exitCode),
    execDuration: String(Math.floor(durationMs / 1000)),
  });
  await undoStart(parts, container, live.endpoint);
  publishNetworkEvent(parts, container, 'disconnect', live.endpoint);
  if (delayMs !== null) armRestart(parts, container, delayMs);
  container.wakeExited(exit.exitCode);
  if (spec.isAutoRemoved && !isBeingRestarted) void removeQuietly(parts, container);
}

export function armRestart(parts: Parts, container: Container, delayMs: number): void {
  parts.restarts.arm(container.id, delayMs, () => void restartByPolicy(parts, container));
}

function millisecondsBetween({ startedAt, finishedAt }: Exit): number {
  const started = parseInstant(startedAt) ?? 0n;
  const finished = parseInstant(finishedAt) ?? started;
  return Number((finished - started) / 1_000_000n);
}
