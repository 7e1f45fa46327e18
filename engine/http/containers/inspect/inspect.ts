/** A container as `GET /containers/{id}/json` shows it: our own words back into Docker's. */
import type { ContainerInspect, ContainerState as WireState, PortMap } from '../../../../api/containers.ts';
import type { Container } from '../../../containers/container.ts';
import type { Health } from '../../../containers/health/health.ts';
import { logPath } from '../../../containers/log-file.ts';
import { networkFilePaths } from '../../../containers/network-files.ts';
import type { ContainerSpec } from '../../../containers/spec.ts';
import { countsAsRunning, lastExit, liveState } from '../../../containers/state.ts';
import { never } from '../../../model/time.ts';
import type { EndpointPlan } from '../../../networks/networks.ts';
import type { Root } from '../../../rootfs/rootfs.ts';
import { portKey } from '../ports.ts';
import { endpointSettings } from '../summary.ts';
import { presentConfig } from './config.ts';
import { presentHealth } from './healthcheck.ts';
import { presentHostConfig } from './host-config.ts';
import { type MountFolders, presentMounts } from './mounts.ts';

/** What of a container other rooms know: `execIds` are those of its execs that have not ended. */
export interface Surroundings {
  readonly root: Root;
  readonly folders: MountFolders;
  readonly execIds: readonly string[];
  readonly health: Health | null;
}

export function inspectContainer(
  container: Container,
  { root, folders, execIds, health }: Surroundings,
): ContainerInspect {
  const { id, name, spec, state } = container;
  const words = [...spec.process.entrypoint, ...spec.process.command];
  const plan = liveState(state)?.endpoint ?? null;
  const files = networkFilePaths(root.folder);
  const hasRun = state.status !== 'created' || state.lastError !== null;
  return {
    Id: id,
    Created: spec.createdAt,
    Path: words[0] ?? '',
    Args: words.slice(1),
    State: { ...presentState(container), ...(health === null ? {} : { Health: presentHealth(health) }) },
    Image: spec.imageId,
    ResolvConfPath: hasRun ? files.resolvConf : '',
    HostnamePath: hasRun ? files.hostname : '',
    HostsPath: hasRun ? files.hosts : '',
    LogPath: spec.log.driver === 'json-file' && hasRun ? logPath(root.folder, container) : '',
    Name: `/${name}`,
    RestartCount: container.history.restartCount,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: execIds.length === 0 ? null : execIds,
    HostConfig: presentHostConfig(spec),
    GraphDriver: {
      Name: 'overlay2',
      Data: { LowerDir: root.lowers.join(':'), MergedDir: root.merged, UpperDir: root.upper, WorkDir: root.work },
    },
    Mounts: presentMounts(spec, folders),
    Config: presentConfig(spec),
    NetworkSettings: {
      SandboxID: plan?.endpoints[0]?.id ?? '',
      SandboxKey: plan?.netnsPath ?? '',
      Ports: publishedNow(spec, plan),
      Networks: endpointSettings(container, plan),
    },
  };
}

function presentState({ state, history }: Container): WireState {
  const exit = lastExit(state);
  const failure = state.status === 'created' ? state.lastError : null;
  const live = liveState(state);
  return {
    Status: state.status,
    Running: countsAsRunning(state),
    Paused: state.status === 'paused',
    Restarting: state.status === 'restarting',
    OOMKilled: exit?.isOutOfMemory ?? false,
    Dead: state.status === 'dead',
    Pid: live?.pid ?? 0,
    ExitCode: exit?.exitCode ?? failure?.exitCode ?? 0,
    Error: exit?.error ?? failure?.message ?? '',
    StartedAt: live?.startedAt ?? exit?.startedAt ?? never,
    FinishedAt: exit?.finishedAt ?? history.finishedAt ?? never,
  };
}

/** What is really published now; exposed ports that are not are null. */
function publishedNow(spec: ContainerSpec, plan: EndpointPlan | null): PortMap {
  if (plan === null) return {};
  const map: Record<string, { HostIp: string; HostPort: string }[] | null> = {};
  for (const port of spec.network.exposed) map[portKey(port)] = null;
  for (const port of plan.ports)
    (map[portKey(port)] ??= []).push({ HostIp: port.hostAddress, HostPort: String(port.hostPort) });
  return map;
}
