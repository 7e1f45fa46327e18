/**
 * What boot does with what the last engine left: it died at any moment, or the whole machine did. Containers that run are
 * taken over; steps that were under way are finished or undone, so that each has one of its two honest outcomes.
 */
import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { formatInstant, parseInstant } from '../../model/time.ts';
import type { ExitRecord, StartedContainer } from '../../monitor/monitor.ts';
import type { EndpointPlan } from '../../networks/networks.ts';
import { finishNetworkChange } from '../network/connect.ts';
import type { Container } from '../container.ts';
import { armRestart, handleExit, settleExit } from './exit.ts';
import { firstStatus } from '../health/health.ts';
import { startedByHand } from '../restarts/history.ts';
import { removeAnonymousVolumes } from '../mounts/create-mounts.ts';
import { namedContainers } from '../names/names.ts';
import type { Parts } from '../parts.ts';
import { settlePause } from './pause.ts';
import { removeQuietly } from './remove.ts';
import { startsAtBoot } from '../restarts/restart-policy.ts';
import type { Intent } from '../rows.ts';
import { afterFailure, undoStart } from './start.ts';
import { liveState, type RunningState } from '../state.ts';
import { finishUpdate } from './update.ts';

export interface Recovery extends Disposable {
  /** What does not run and should, by its policy or because somebody was restarting it: to be started once the API is served. */
  readonly toStart: readonly Container[];
}

/** Resolves when every container is in a state that is true. From then on the monitor's exits are handled as they come. */
export async function recoverContainers(parts: Parts): Promise<Recovery> {
  const { rows, monitor, directory, networks, roots, log } = parts;
  const entries = rows.all();
  const running = new Map((await monitor.containers()).map((started) => [started.id as string, started]));
  // Asked for after those that run: what ends between the two questions is in both answers and not in none.
  const exits = new Map<string, ExitRecord>(monitor.waitingExits().map((record) => [record.id, record]));

  for (const { container, intent } of entries) {
    if (intent?.verb === 'create') {
      await roots.remove(container.id);
      await removeAnonymousVolumes(parts, container);
      rows.delete(container.id);
      log.info('removed a container whose creation was interrupted', { container: container.id });
      continue;
    }
    directory.add(container);
    if (intent?.verb === 'start')
      finishStart(parts, container, intent, running.get(container.id) ?? exits.get(container.id) ?? null);
  }
  const living = directory.all().filter((container) => running.has(container.id));
  await parts.volumes.restore(new Map(living.map((container) => [container.id, volumesOf(container)])));
  for (const container of directory.all()) if (!running.has(container.id)) await roots.unmount(container.id);
  const report = await networks.restore(living.flatMap((container) => planOf(container) ?? []));
  for (const { containerId, port, reason } of report.unboundPorts)
    log.warn('a published port is not ours any more', { containerId, port: port.hostPort, reason });

  for (const { container, intent } of entries) {
    if (directory.byId(container.id) === undefined) continue;
    if (intent?.verb === 'connect' || intent?.verb === 'disconnect')
      await finishNetworkChange(parts, container, intent.endpoint);
    if (intent?.verb === 'start' && liveState(container.state) === null)
      await undoStart(parts, container, intent.endpoint);
    await settle(parts, container, {
      intent,
      isRunning: running.has(container.id),
      exit: exits.get(container.id) ?? null,
    });
  }
  await restoreNames(parts, living);
  await restoreShares(parts, living);
  sweepBundles(parts, running);
  await roots.collectGarbage(new Set(directory.all().map(({ id }) => id)));
  for (const record of exits.values()) await handleExit(parts, record);
  const interrupted = new Set(
    entries.flatMap(({ container, intent }) => (intent?.verb === 'restart' ? container : [])),
  );
  const toStart = directory.all().filter((container) => {
    const { state, spec, history } = container;
    if (state.status !== 'exited') return false;
    return interrupted.has(container) || startsAtBoot(spec.restartPolicy, history, state.exitCode);
  });
  for (const container of directory.all()) {
    parts.health.follow(parts, container);
    parts.memory.follow(parts, container);
  }
  const following = followExits(parts);
  return { toStart, [Symbol.dispose]: () => following[Symbol.dispose]() };
}

const exitRetryMs = 500;

/**
 * Told again are all that nobody has acknowledged, also those of the time since. One that cannot be written (a full disk) is
 * tried again: nobody else will tell it.
 */
function followExits(parts: Parts): Disposable {
  const { monitor, log } = parts;
  const closing = new AbortController();
  const follow = async (record: ExitRecord): Promise<void> => {
    for (let isReported = false; !closing.signal.aborted; isReported = true) {
      try {
        return await handleExit(parts, record);
      } catch (error) {
        if (!isReported) log.error('an exit could not be recorded yet', { container: record.id, error });
        await delay(exitRetryMs, undefined, { ref: false });
      }
    }
  };
  const subscription = monitor.onExit((record) => void follow(record));
  return {
    [Symbol.dispose]() {
      closing.abort();
      subscription[Symbol.dispose]();
    },
  };
}

/** Without names containers still run, and another start tries again: no reason not to serve. */
async function restoreNames(parts: Parts, living: readonly Container[]): Promise<void> {
  const planned = living.flatMap((container) => {
    const plan = planOf(container);
    return plan === null ? [] : [{ container, plan }];
  });
  try {
    await parts.names.restore(namedContainers(parts, planned));
  } catch (error) {
    parts.log.error('the names of containers cannot be served', { error });
  }
}

/** As above: who has one bound goes on having it. */
async function restoreShares(parts: Parts, living: readonly Container[]): Promise<void> {
  const sources = living.map(
    ({ id, spec }) => [id, spec.mounts.flatMap((mount) => (mount.kind === 'bind' ? [mount.source] : []))] as const,
  );
  try {
    await parts.shares.restore(new Map(sources));
  } catch (error) {
    parts.log.error('the shared folders cannot be served', { error });
  }
}

/** The start had come as far as a process, or it had not. */
function finishStart(
  parts: Parts,
  container: Container,
  intent: Extract<Intent, { verb: 'start' }>,
  seen: StartedContainer | ExitRecord | null,
): void {
  const { state, history } = container;
  if (seen === null) {
    const failure = { exitCode: 128, message: 'the engine was stopped while this container was being started' };
    // A policy's restart is tried again.
    const next = state.status === 'restarting' ? state : afterFailure(state, failure);
    parts.rows.settle(container.id, next);
    if (next !== state) container.moveTo(next);
    return;
  }
  const running: RunningState = {
    status: 'running',
    pid: seen.pid,
    startedAt: formatInstant(seen.startedAt),
    endpoint: intent.endpoint,
  };
  const since = {
    ...(state.status === 'restarting' ? history : startedByHand(history)),
    health: firstStatus(container.spec),
  };
  parts.rows.settle(container.id, running, since);
  container.changeHistory(since);
  container.moveTo(running);
}

async function settle(
  parts: Parts,
  container: Container,
  found: { readonly intent: Intent | null; readonly isRunning: boolean; readonly exit: ExitRecord | null },
): Promise<void> {
  const { state } = container;
  switch (state.status) {
    case 'running':
    case 'paused': {
      const verb = found.intent?.verb;
      if (verb === 'pause' || verb === 'unpause') settlePause(parts, container);
      if (found.intent?.verb === 'update') finishUpdate(parts, container, found.intent.before);
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
    case 'restarting': {
      const remainingMs = Number(((parseInstant(state.restartAt) ?? 0n) - parts.now()) / 1_000_000n);
      armRestart(parts, container, Math.max(0, remainingMs));
      return;
    }
    case 'removing': {
      const reason = 'the engine was stopped while it was being removed';
      const dead = { status: 'dead', before: state.before, reason } as const;
      parts.rows.settle(container.id, dead);
      container.moveTo(dead);
      const removesVolumes =
        found.intent?.verb === 'remove' ? found.intent.removesVolumes : container.spec.isAutoRemoved;
      await removeQuietly(parts, container, { removesVolumes });
      return;
    }
    case 'exited':
      if (found.intent?.verb !== 'restart' && container.spec.isAutoRemoved) await removeQuietly(parts, container);
      return;
    case 'created':
    case 'dead':
      if (found.intent?.verb === 'start' && container.spec.isAutoRemoved) await removeQuietly(parts, container);
  }
}

function volumesOf({ spec }: Container): readonly string[] {
  return spec.mounts.flatMap((mount) => (mount.kind === 'volume' ? [mount.name] : []));
}

function planOf(container: Container): EndpointPlan | null {
  return liveState(container.state)?.endpoint ?? null;
}

function sweepBundles(parts: Parts, running: ReadonlyMap<string, StartedContainer>): void {
  for (const name of readdirSync(parts.bundleFolder)) {
    if (!running.has(name)) rmSync(path.join(parts.bundleFolder, name), { recursive: true, force: true });
  }
}
