/**
 * A start, step by step; what each step leaves behind is named by the intent row that stands before the first of them, so
 * a crash in between is undone at boot (`recover.ts`).
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { conflict, EngineError, invalid, notModified } from '../../model/errors.ts';
import type { ContainerId } from '../../model/ids.ts';
import { formatInstant } from '../../model/time.ts';
import type { StdioPlan } from '../../monitor/monitor.ts';
import { StartError } from '../../monitor/start-error.ts';
import type { EndpointPlan } from '../../networks/networks.ts';
import { assertMountPoints, readInside } from '../../rootfs/rootfs.ts';
import { howToGetInit } from '../../runtime/init-program.ts';
import { buildSpec } from '../../runtime/spec.ts';
import { resolveUser } from '../../runtime/user.ts';
import { cgroupOf } from '../oci/cgroup-of.ts';
import type { Container } from '../container.ts';
import { publishContainerEvent, publishNetworkEvent } from '../container-events.ts';
import { planRequest, settingUpNetwork, withNetworkIds } from '../network/endpoints.ts';
import { firstStatus } from '../health/health.ts';
import { type History, startedByHand } from '../restarts/history.ts';
import { linkVariables } from '../network/linked-containers.ts';
import { logPlan } from '../logs/log-file.ts';
import { giveNames, withSharedHostname } from '../names/names.ts';
import { joinedNamespaces, unmountSharedMemory } from '../oci/joined-namespaces.ts';
import { ociSettings } from '../oci/oci-settings.ts';
import type { Parts } from '../parts.ts';
import { removeQuietly } from './remove.ts';
import { makeBindSources } from '../mounts/bind-sources.ts';
import { prepareMounts, releaseMounts } from '../mounts/start-mounts.ts';
import { publishVolumesMounted } from '../mounts/volume-events.ts';
import { type ContainerState, lastExit, type RunningState, type StartFailure } from '../state.ts';

/** The exit of what was just started is told when its record is on the disk, which may be full. */
const unwrittenEndTimeoutMs = 5_000;

/**
 * Throws `not-modified` when it runs already, `StartError` when the program cannot be run, and whatever a step throws. What
 * a restart policy has counted begins anew.
 */
export async function startContainer(parts: Parts, container: Container): Promise<void> {
  await container.queue.run(async () => {
    assertStartable(container);
    await startOrSettle(parts, container, startedByHand(container.history));
  });
}

/** When the wait of a restart policy is over. A start that fails then is the end of it; what went wrong stands in the state. */
export async function restartByPolicy(parts: Parts, container: Container): Promise<void> {
  await container.queue.run(async () => {
    if (container.state.status !== 'restarting') return;
    try {
      await startOrSettle(parts, container, container.history);
    } catch {
      container.wakeExited(lastExit(container.state)?.exitCode ?? 0); // logged and kept in the state already
    }
  });
}

async function startOrSettle(parts: Parts, container: Container, history: History): Promise<void> {
  try {
    await start(parts, container, history);
  } catch (error) {
    const failure = failureOf(error);
    parts.log.warn('container could not be started', { container: container.id, error });
    settleFailure(parts, container, failure);
    throw error;
  }
}

function assertStartable(container: Container): void {
  switch (container.state.status) {
    case 'running':
    case 'restarting':
      throw notModified(`container ${container.name} is already running`);
    case 'paused':
      throw conflict('cannot start a paused container, try unpause instead');
    case 'removing':
    case 'dead':
      throw conflict('container is marked for removal and cannot be started');
    case 'created':
    case 'exited':
  }
}

async function start(parts: Parts, container: Container, before: History): Promise<void> {
  const history: History = { ...before, health: firstStatus(container.spec) };
  const { networks, rows } = parts;
  const { id, spec } = container;
  const request = planRequest(parts, container, wantedPorts(container));
  const plan = await settingUpNetwork(() => networks.plan(request));
  const planned = withSharedHostname(parts.directory, withNetworkIds(spec, plan));
  let isRunning = false;
  try {
    const intent = { verb: 'start', endpoint: plan } as const;
    if (planned === spec) rows.begin(id, intent);
    else rows.changeSpecInto(id, planned, intent);
    container.changeSpec(planned);
    await settingUpNetwork(() => networks.realise(plan));
    const started = await launch(parts, container, plan);
    isRunning = true;
    const state: RunningState = {
      status: 'running',
      pid: started.pid,
      startedAt: formatInstant(started.startedAt),
      endpoint: plan,
    };
    rows.settle(id, state, history);
    container.changeHistory(history);
    container.moveTo(state);
  } catch (error) {
    if (isRunning) await endUnwritten(parts, id);
    await undoStart(parts, container, plan);
    throw error;
  }
  publishVolumesMounted(parts, container);
  publishNetworkEvent(parts, container, 'connect', plan);
  publishContainerEvent(parts, container, 'start');
}

/** It runs, and the database could not take that (a full disk): nobody would know of it, so it must not run. */
async function endUnwritten({ monitor, log }: Parts, id: ContainerId): Promise<void> {
  const ended = Promise.withResolvers<void>();
  using _subscription = monitor.onExit((record) => {
    if (record.id === id) ended.resolve();
  });
  const timer = setTimeout(() => ended.reject(new Error('it did not end in time')), unwrittenEndTimeoutMs);
  try {
    await monitor.signal(id, 9);
    await ended.promise;
  } catch (error) {
    log.error('a container that could not be written runs on', { container: id, error });
  } finally {
    clearTimeout(timer);
  }
}

async function launch(parts: Parts, container: Container, plan: EndpointPlan): ReturnType<Parts['monitor']['start']> {
  const { roots, monitor, runtime, host, filters, directory } = parts;
  const { id, spec } = container;
  const shared = await makeBindSources(parts, container);
  const init = initOf(parts, spec);
  assertDevicesThere(spec);
  const root = roots.mount(id, { isVolatile: container.spec.isAutoRemoved });
  assertMountPoints(root.merged);
  const joined = joinedNamespaces(directory, container, root.folder);
  const { files, named } = giveNames(parts, container, plan);
  const read = (file: string): ReturnType<typeof readInside> => readInside(root.merged, file, { maxBytes: 1 << 20 });
  const user = resolveUser(spec.process.user, read, spec.process.addedGroups);
  const bundle = bundleFolder(parts, container);
  mkdirSync(bundle, { recursive: true, mode: 0o700 });
  const cgroup = cgroupOf(parts, container);
  const mounts = await prepareMounts(parts, { container, root, shared });
  const linked = linkVariables(directory, container);
  const settings = ociSettings({ container, mounts, root, plan, files, user, joined, init, cgroup, linked });
  const { spec: ociSpec, saveFilterTo } = filters.apply(buildSpec(settings, host));
  writeFileSync(path.join(bundle, 'config.json'), JSON.stringify(ociSpec));
  await named;
  return monitor.start({
    id,
    bundle,
    runtime,
    stdio: stdioPlan(container),
    log: logPlan(container, root.folder),
    cgroup,
    saveFilterTo,
    isVolatile: spec.isAutoRemoved,
  });
}

/** Null: its own program is process 1. With the processes of others there is none that would be. */
function initOf({ init }: Parts, { hasInit, namespaces }: Container['spec']): string | null {
  if (!(hasInit ?? init.isDefault) || namespaces.pid !== 'private') return null;
  if (init.program === null)
    throw new EngineError('unavailable', `the program for --init is not on this computer: ${howToGetInit}`);
  return init.program;
}

/** Docker's words: there is no driver for any. */
function assertDevicesThere({ deviceRequests }: Container['spec']): void {
  for (const { driver, capabilities, deviceIds } of deviceRequests) {
    if (driver === 'cdi')
      throw invalid(`CDI device injection failed: unresolvable CDI devices ${deviceIds.join(', ')}`);
    const wanted = capabilities.map((set) => `[${set.join(' ')}]`).join(' ');
    throw invalid(`could not select device driver ${JSON.stringify(driver)} with capabilities: [${wanted}]`);
  }
}

function stdioPlan(container: Container): StdioPlan {
  const { hasTerminal, isStdinOpen, isStdinOnce, consoleSize } = container.spec.process;
  if (hasTerminal) return { kind: 'terminal', stdin: isStdinOpen ? 'open' : 'none', size: consoleSize };
  return { kind: 'pipes', stdin: !isStdinOpen ? 'none' : isStdinOnce ? 'once' : 'open' };
}

function wantedPorts(container: Container): Parameters<Parts['networks']['plan']>[0]['ports'] {
  const { published, exposed, publishesAll } = container.spec.network;
  if (!publishesAll) return published;
  const given = new Set(published.map(({ port, protocol }) => `${port}/${protocol}`));
  const others = exposed.filter(({ port, protocol }) => !given.has(`${port}/${protocol}`));
  return [...published, ...others.map((port) => ({ ...port, hostAddress: null, hostPorts: null }))];
}

export function bundleFolder(parts: Pick<Parts, 'bundleFolder'>, container: Container): string {
  return path.join(parts.bundleFolder, container.id);
}

/** Everything that a start or a run leaves on the host. Idempotent; never throws, since it runs where something has failed already. */
export async function undoStart(parts: Parts, container: Container, plan: EndpointPlan | null): Promise<void> {
  const { networks, roots, log } = parts;
  const attempt = async (what: string, work: () => unknown): Promise<void> => {
    try {
      await work();
    } catch (error) {
      log.error(`could not ${what}`, { container: container.id, error });
    }
  };
  // First: the resolver would keep the namespace alive.
  await attempt('forget its names', () => parts.names.drop(container.id));
  await attempt('give the network back', () => (plan === null ? undefined : networks.release(plan)));
  await attempt('unmount the shared memory', () => unmountSharedMemory(roots.get(container.id).folder));
  await attempt('give the volumes back', () => releaseMounts(parts, container));
  await attempt('unmount the root', () => roots.unmount(container.id));
  await attempt('remove the bundle', () => rmSync(bundleFolder(parts, container), { recursive: true, force: true }));
}

/** A failed start leaves the container as it was before, with the reason; one that has never run stays `created`. */
function settleFailure(parts: Parts, container: Container, failure: StartFailure): void {
  const next = afterFailure(container.state, failure);
  parts.rows.settle(container.id, next);
  container.moveTo(next);
  if (container.spec.isAutoRemoved) {
    container.wakeExited(failure.exitCode);
    void removeQuietly(parts, container);
  }
}

export function afterFailure(state: ContainerState, failure: StartFailure): ContainerState {
  if (state.status !== 'exited' && state.status !== 'restarting') return { status: 'created', lastError: failure };
  const { exitCode, message: error } = failure;
  const { startedAt, finishedAt, isOutOfMemory } = state;
  return { status: 'exited', startedAt, finishedAt, isOutOfMemory, exitCode, error };
}

function failureOf(error: unknown): StartFailure {
  const message = error instanceof Error ? error.message : String(error);
  return { exitCode: error instanceof StartError ? error.exitCode : 128, message };
}
