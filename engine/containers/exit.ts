import { formatInstant, parseInstant } from '../model/time.ts';
import type { ExitRecord } from '../monitor/monitor.ts';
import type { Container } from './container.ts';
import { publishContainerEvent, publishNetworkEvent } from './container-events.ts';
import type { Parts } from './parts.ts';
import { removeQuietly } from './remove.ts';
import { undoStart } from './start.ts';
import type { ContainerState, Exit, RunningState } from './state.ts';

/** The monitor says that a container has ended. May come twice for one exit; the second finds it written already. */
export async function handleExit(parts: Parts, record: ExitRecord): Promise<void> {
  const container = parts.directory.byId(record.id);
  await container?.queue.run(async () => {
    const { state } = container;
    if (state.status !== 'running' || state.pid !== record.pid) return;
    await settleExit(parts, container, state, {
      exitCode: record.exitCode,
      startedAt: state.startedAt,
      finishedAt: formatInstant(record.finishedAt),
      isOutOfMemory: record.isOutOfMemory,
      error: record.isExitCodeKnown ? '' : 'the exit code was lost: the process that watched the container was killed',
    });
  });
  // Only now: a crash before this line makes the monitor tell it again.
  await parts.monitor.acknowledge(record.id);
}

/** To be run in the container's queue. The row is written first; then those who watch and those who wait are told. */
export async function settleExit(parts: Parts, container: Container, running: RunningState, exit: Exit): Promise<void> {
  const state: ContainerState = { status: 'exited', ...exit };
  parts.rows.settle(container.id, state);
  container.moveTo(state);
  if (exit.isOutOfMemory) publishContainerEvent(parts, container, 'oom');
  publishContainerEvent(parts, container, 'die', {
    exitCode: String(exit.exitCode),
    execDuration: String(secondsBetween(exit)),
  });
  await undoStart(parts, container, running.endpoint);
  publishNetworkEvent(parts, container, 'disconnect', running.endpoint.endpoints);
  container.wakeExited(exit.exitCode);
  if (container.spec.isAutoRemoved) void removeQuietly(parts, container);
}

function secondsBetween({ startedAt, finishedAt }: Exit): number {
  const started = parseInstant(startedAt) ?? 0n;
  const finished = parseInstant(finishedAt) ?? started;
  return Number((finished - started) / 1_000_000_000n);
}
