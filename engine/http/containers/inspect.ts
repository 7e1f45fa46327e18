/** A container as `GET /containers/{id}/json` shows it: our own words back into Docker's. */
import type { ContainerInspect, ContainerState as WireState, HostConfig, PortMap } from '../../../api/containers.ts';
import type { Container } from '../../containers/container.ts';
import { logPath } from '../../containers/log-file.ts';
import { networkFilePaths } from '../../containers/network-files.ts';
import type { ContainerSpec, PublishedPortSpec } from '../../containers/spec.ts';
import { type ContainerState, lastExit } from '../../containers/state.ts';
import { never } from '../../model/time.ts';
import type { EndpointPlan } from '../../networks/networks.ts';
import type { Root } from '../../rootfs/rootfs.ts';
import { portKey } from './ports.ts';
import { endpointSettings, mountPoint } from './summary.ts';

export function inspectContainer(container: Container, root: Root): ContainerInspect {
  const { id, name, spec, state } = container;
  const words = [...spec.process.entrypoint, ...spec.process.command];
  const plan = state.status === 'running' ? state.endpoint : null;
  const files = networkFilePaths(root.folder);
  const hasRun = state.status !== 'created' || state.lastError !== null;
  return {
    Id: id,
    Created: spec.createdAt,
    Path: words[0] ?? '',
    Args: words.slice(1),
    State: presentState(state),
    Image: spec.imageId,
    ResolvConfPath: hasRun ? files.resolvConf : '',
    HostnamePath: hasRun ? files.hostname : '',
    HostsPath: hasRun ? files.hosts : '',
    LogPath: spec.log.driver === 'json-file' && hasRun ? logPath(root.folder, container) : '',
    Name: `/${name}`,
    RestartCount: 0,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: null,
    HostConfig: hostConfig(spec),
    GraphDriver: {
      Name: 'overlay2',
      Data: { LowerDir: root.lowers.join(':'), MergedDir: root.merged, UpperDir: root.upper, WorkDir: root.work },
    },
    Mounts: spec.mounts.flatMap(mountPoint),
    Config: config(spec),
    NetworkSettings: {
      SandboxID: plan?.endpoints[0]?.id ?? '',
      SandboxKey: plan?.netnsPath ?? '',
      Ports: publishedNow(spec, plan),
      Networks: endpointSettings(container, plan),
    },
  };
}

function presentState(state: ContainerState): WireState {
  const exit = lastExit(state);
  const failure = state.status === 'created' ? state.lastError : null;
  const isRunning = state.status === 'running';
  return {
    Status: state.status,
    Running: isRunning,
    Paused: false,
    Restarting: false,
    OOMKilled: exit?.isOutOfMemory ?? false,
    Dead: state.status === 'dead',
    Pid: isRunning ? state.pid : 0,
    ExitCode: exit?.exitCode ?? failure?.exitCode ?? 0,
    Error: exit?.error ?? failure?.message ?? '',
    StartedAt: isRunning ? state.startedAt : (exit?.startedAt ?? never),
    FinishedAt: exit?.finishedAt ?? never,
  };
}

function config(spec: ContainerSpec): ContainerInspect['Config'] {
  const { process } = spec;
  return {
    Hostname: spec.hostname,
    Domainname: spec.domainname,
    User: process.user,
    AttachStdin: process.attached.stdin,
    AttachStdout: process.attached.stdout,
    AttachStderr: process.attached.stderr,
    ...(spec.network.exposed.length > 0
      ? { ExposedPorts: Object.fromEntries(spec.network.exposed.map((port) => [portKey(port), {}])) }
      : {}),
    Tty: process.hasTerminal,
    OpenStdin: process.isStdinOpen,
    StdinOnce: process.isStdinOnce,
    Env: process.env,
    Cmd: process.command.length > 0 ? process.command : null,
    Image: spec.imageName,
    Volumes: null,
    WorkingDir: process.workingDir === '/' ? '' : process.workingDir,
    Entrypoint: process.entrypoint.length > 0 ? process.entrypoint : null,
    Labels: spec.labels,
    ...(spec.stopSignal === null ? {} : { StopSignal: spec.stopSignal }),
    ...(spec.stopTimeoutSeconds === null ? {} : { StopTimeout: spec.stopTimeoutSeconds }),
  };
}

function hostConfig(spec: ContainerSpec): HostConfig {
  const { resources, network, process } = spec;
  const tmpfs = spec.mounts.flatMap((mount) =>
    mount.kind === 'tmpfs' ? [[mount.target, mount.options] as const] : [],
  );
  return {
    Binds: spec.mounts.flatMap((mount) =>
      mount.kind === 'bind' ? [`${mount.source}:${mount.target}${mount.mode === '' ? '' : `:${mount.mode}`}`] : [],
    ),
    NetworkMode: network.mode,
    PortBindings: wantedPorts(network.published),
    PublishAllPorts: network.publishesAll,
    RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
    AutoRemove: spec.isAutoRemoved,
    LogConfig: { Type: spec.log.driver, Config: spec.log.options },
    Privileged: spec.isPrivileged,
    ReadonlyRootfs: spec.isRootReadOnly,
    CapAdd: orNull(spec.addedCapabilities),
    CapDrop: orNull(spec.droppedCapabilities),
    SecurityOpt: orNull(spec.securityOptions),
    Dns: network.dns,
    DnsSearch: network.dnsSearch,
    DnsOptions: network.dnsOptions,
    ExtraHosts: orNull(network.extraHosts),
    Memory: resources.memoryBytes ?? 0,
    MemorySwap: resources.memorySwapBytes ?? 0,
    NanoCpus: resources.nanoCpus ?? 0,
    CpuShares: resources.cpuShares ?? 0,
    CpuPeriod: resources.cpuPeriodUs ?? 0,
    CpuQuota: resources.cpuQuotaUs ?? 0,
    CpusetCpus: resources.cpusetCpus ?? '',
    PidsLimit: resources.pidsLimit,
    ShmSize: spec.shmSizeBytes,
    ...(tmpfs.length > 0 ? { Tmpfs: Object.fromEntries(tmpfs) } : {}),
    ConsoleSize: [process.consoleSize?.rows ?? 0, process.consoleSize?.columns ?? 0],
  };
}

function wantedPorts(published: readonly PublishedPortSpec[]): PortMap {
  const map: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const port of published) {
    const { hostAddress, hostPorts } = port;
    const range =
      hostPorts === null
        ? ''
        : hostPorts.first === hostPorts.last
          ? `${hostPorts.first}`
          : `${hostPorts.first}-${hostPorts.last}`;
    (map[portKey(port)] ??= []).push({ HostIp: hostAddress ?? '', HostPort: range });
  }
  return map;
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

function orNull<T>(list: readonly T[]): readonly T[] | null {
  return list.length > 0 ? list : null;
}
