/**
 * What boot does with what the last engine left: it died at any moment, or the whole machine did. Containers that run are
 * taken over; steps that were under way are finished or undone, so that each has one of its two honest outcomes.
 */
import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { formatInstant } from '../model/time.ts';
import type { ExitRecord, StartedContainer } from '../monitor/monitor.ts';
import type { EndpointPlan } from '../networks/networks.ts';
import type { Container } from './container.ts';
import { handleExit, settleExit } from './exit.ts';
import type { Parts } from './parts.ts';
import { removeQuietly } from './remove.ts';
import type { Intent } from './rows.ts';
import { undoStart } from './start.ts';
import type { RunningState } from './state.ts';

/** Resolves when every container is in a state that is true. From then on the monitor's exits are handled as they come. */
export async function recoverContainers(parts: Parts): Promise<Disposable> {
  const { rows, monitor, directory, networks, roots, log } = parts;
  const entries = rows.all();
  const running = new Map((await monitor.containers()).map((started) => [started.id as string, started]));
  // Asked for after those that run: what ends between the two questions is in both answers and not in none.
  const exits = new Map<string, ExitRecord>(monitor.waitingExits().map((record) => [record.id, record]));

  for (const { container, intent } of entries) {
    if (intent?.verb === 'create') {
      await roots.remove(container.id);
      rows.delete(container.id);
      log.info('removed a container whose creation was interrupted', { container: container.id });
      continue;
    }
    directory.add(container);
    if (intent?.verb === 'start')
      finishStart(parts, container, intent, running.get(container.id) ?? exits.get(container.id) ?? null);
  }
  const living = directory.all().filter((container) => running.has(container.id));
  const report = await networks.restore(living.flatMap((container) => planOf(container) ?? []));
  for (const { containerId, port, reason } of report.unboundPorts)
    log.warn('a published port is not ours any more', { containerId, port: port.hostPort, reason });

  for (const { container, intent } of entries) {
    if (directory.byId(container.id) === undefined) continue;
    if (intent?.verb === 'start' && container.state.status !== 'running')
      await undoStart(parts, container, intent.endpoint);
    await settle(parts, container, {
      intent,
      isRunning: running.has(container.id),
      exit: exits.get(container.id) ?? null,
    });
  }
  sweepBundles(parts, running);
  await roots.collectGarbage(new Set(directory.all().map(({ id }) => id)));
  for (const record of exits.values()) await handleExit(parts, record);
  // Told again are all that nobody has acknowledged, also those of the time since.
  return monitor.onExit((record) => {
    handleExit(parts, record).catch((error: unknown) =>
      log.error('an exit could not be recorded', { container: record.id, error }),
    );
  });
}

/** The start had come as far as a process, or it had not. */
function finishStart(
  parts: Parts,
  container: Container,
  intent: Extract<Intent, { verb: 'start' }>,
  seen: StartedContainer | ExitRecord | null,
): void {
  if (seen === null) {
    const failure = { exitCode: 128, message: 'the engine was stopped while this container was being started' };
    const next =
      container.state.status === 'exited'
        ? { ...container.state, error: failure.message }
        : ({ status: 'created', lastError: failure } as const);
    parts.rows.settle(container.id, next);
    container.moveTo(next);
    return;
  }
  const state: RunningState = {
    status: 'running',
    pid: seen.pid,
    startedAt: formatInstant(seen.startedAt),
    endpoint: intent.endpoint,
  };
  parts.rows.settle(container.id, state);
  container.moveTo(state);
}

async function settle(
  parts: Parts,
  container: Container,
  found: { readonly intent: Intent | null; readonly isRunning: boolean; readonly exit: ExitRecord | null },
): Promise<void> {
  const { state } = container;
  switch (state.status) {
    case 'running': {
      if (found.isRunning || found.exit !== null) return;
      // Neither running nor recorded: the machine itself went down.
      const { startedAt } = state;
      const finishedAt = formatInstant(parts.now());
      const error = 'the machine was stopped while this container was running';
      await container.queue.run(() =>
        settleExit(parts, container, state, { exitCode: 255, startedAt, finishedAt, isOutOfMemory: false, error }),
      );
      return;
    }
    case 'removing':
      parts.rows.settle(container.id, {
        status: 'dead',
        before: state.before,
        reason: 'the engine was stopped while it was being removed',
      });
      container.moveTo({
        status: 'dead',
        before: state.before,
        reason: 'the engine was stopped while it was being removed',
      });
      await removeQuietly(parts, container);
      return;
    case 'exited':
      if (container.spec.isAutoRemoved) await removeQuietly(parts, container);
      return;
    case 'created':
    case 'dead':
      if (found.intent?.verb === 'start' && container.spec.isAutoRemoved) await removeQuietly(parts, container);
  }
}

function planOf(container: Container): EndpointPlan | null {
  return container.state.status === 'running' ? container.state.endpoint : null;
}

function sweepBundles(parts: Parts, running: ReadonlyMap<string, StartedContainer>): void {
  for (const name of readdirSync(parts.bundleFolder)) {
    if (!running.has(name)) rmSync(path.join(parts.bundleFolder, name), { recursive: true, force: true });
  }
}
