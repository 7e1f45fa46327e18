/** A container as `GET /containers/{id}/json` shows it: our own words back into Docker's. */
import type { ContainerInspect, ContainerState as WireState } from '../../../../api/containers.ts';
import type { Container } from '../../../containers/container.ts';
import type { Health } from '../../../containers/health/health.ts';
import { logPath } from '../../../containers/logs/log-file.ts';
import { networkFilePaths } from '../../../containers/network/network-files.ts';
import { countsAsRunning, lastExit, liveState } from '../../../containers/state.ts';
import { never } from '../../../model/time.ts';
import type { Root } from '../../../rootfs/rootfs.ts';
import { presentNetworkSettings } from './network-settings.ts';
import { presentConfig } from './config.ts';
import { presentHealth } from './healthcheck.ts';
import { presentHostConfig } from './host-config.ts';
import { type MountFolders, presentMounts } from './mounts.ts';

/** What of a container other rooms know: `execIds` are those of its execs that have not ended. */
export interface Surroundings {
  readonly root: Root;
  readonly folders: MountFolders;
  readonly execIds: readonly string[];
  /** `/child:/parent/alias`. */
  readonly links: readonly string[];
  readonly health: Health | null;
}

export function inspectContainer(
  container: Container,
  { root, folders, execIds, links, health }: Surroundings,
): ContainerInspect {
  const { id, name, spec, state } = container;
  const words = [...spec.process.entrypoint, ...spec.process.command];
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
    HostConfig: { ...presentHostConfig(spec), Links: links.length === 0 ? null : links },
    GraphDriver: {
      Name: 'overlay2',
      Data: {
        ID: id,
        LowerDir: root.lowers.join(':'),
        MergedDir: root.merged,
        UpperDir: root.upper,
        WorkDir: root.work,
      },
    },
    Mounts: presentMounts(spec, folders),
    Config: presentConfig(spec),
    NetworkSettings: presentNetworkSettings(container),
  };
}

function presentState({ state, history, hasMemoryKills }: Container): WireState {
  const exit = lastExit(state);
  const failure = state.status === 'created' ? state.lastError : null;
  const live = liveState(state);
  return {
    Status: state.status,
    Running: countsAsRunning(state),
    Paused: state.status === 'paused',
    Restarting: state.status === 'restarting',
    OOMKilled: live === null ? (exit?.isOutOfMemory ?? false) : hasMemoryKills,
    Dead: state.status === 'dead',
    Pid: live?.pid ?? 0,
    ExitCode: exit?.exitCode ?? failure?.exitCode ?? 0,
    Error: exit?.error ?? failure?.message ?? '',
    StartedAt: live?.startedAt ?? exit?.startedAt ?? never,
    FinishedAt: exit?.finishedAt ?? history.finishedAt ?? never,
  };
}
