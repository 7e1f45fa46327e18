import type { DeviceRequest, HostConfig, PortMap } from '../../../../api/containers.ts';
import type {
  ContainerSpec,
  DeviceRequestSpec,
  NamespaceSpec,
  PublishedPortSpec,
  ResourceSpec,
  RestartPolicySpec,
} from '../../../containers/spec/spec.ts';
import { defaultMaskedPaths, defaultReadonlyPaths } from '../../../runtime/system-paths.ts';
import { portKey } from '../ports.ts';
import { presentMountRequests } from './mounts.ts';

/** `HostConfig`: what was asked for, so that a create with it makes the same container again. */
export function presentHostConfig(spec: ContainerSpec): HostConfig {
  const { resources, network, process } = spec;
  return {
    ...presentMountRequests(spec),
    NetworkMode: network.shownMode,
    PortBindings: wantedPorts(network.published),
    PublishAllPorts: network.publishesAll,
    RestartPolicy: presentRestartPolicy(spec.restartPolicy),
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
    MemoryReservation: resources.memoryReservationBytes ?? 0,
    MemorySwappiness: resources.memorySwappiness,
    OomKillDisable: resources.isOomKillDisabled,
    OomScoreAdj: process.oomScoreAdjust ?? 0,
    NanoCpus: resources.nanoCpus ?? 0,
    CpuShares: resources.cpuShares ?? 0,
    CpuPeriod: resources.cpuPeriodUs ?? 0,
    CpuQuota: resources.cpuQuotaUs ?? 0,
    CpuRealtimePeriod: resources.cpuRealtimePeriodUs ?? 0,
    CpuRealtimeRuntime: resources.cpuRealtimeRuntimeUs ?? 0,
    CpusetCpus: resources.cpusetCpus ?? '',
    CpusetMems: resources.cpusetMems ?? '',
    ...presentBlockDevices(resources),
    CgroupParent: resources.cgroupParent,
    ...presentNamespaces(spec.namespaces),
    Isolation: '',
    Runtime: spec.runtime === '' ? 'runc' : spec.runtime,
    ...(spec.hasInit === null ? {} : { Init: spec.hasInit }),
    ...(Object.keys(spec.annotations).length > 0 ? { Annotations: spec.annotations } : {}),
    ...(Object.keys(spec.storageOptions).length > 0 ? { StorageOpt: spec.storageOptions } : {}),
    ...(Object.keys(spec.sysctls).length > 0 ? { Sysctls: spec.sysctls } : {}),
    GroupAdd: orNull(process.addedGroups),
    Ulimits: process.ulimits.map(({ name, soft, hard }) => ({ Name: name, Hard: hard, Soft: soft })),
    Devices: spec.devices.map((device) => ({
      PathOnHost: device.pathOnHost,
      PathInContainer: device.pathInContainer,
      CgroupPermissions: device.access,
    })),
    DeviceCgroupRules: orNull(spec.deviceRules),
    DeviceRequests: orNull(spec.deviceRequests.map(presentDeviceRequest)),
    MaskedPaths: spec.maskedPaths ?? (spec.isPrivileged ? null : defaultMaskedPaths),
    ReadonlyPaths: spec.readonlyPaths ?? (spec.isPrivileged ? null : defaultReadonlyPaths),
    ContainerIDFile: '',
    Cgroup: '',
    // Of Windows: clients of docker find them zero on Linux.
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
    PidsLimit: resources.pidsLimit,
    ShmSize: spec.shmSizeBytes,
    ConsoleSize: [process.consoleSize?.rows ?? 0, process.consoleSize?.columns ?? 0],
  };
}

function presentNamespaces({ pid, ipc, uts, cgroup, user }: NamespaceSpec): Partial<HostConfig> {
  const shown = (share: NamespaceSpec['ipc']): string =>
    typeof share === 'string' ? share : `container:${share.container}`;
  return {
    PidMode: pid === 'private' ? '' : shown(pid),
    IpcMode: shown(ipc),
    UTSMode: uts === 'host' ? 'host' : '',
    UsernsMode: user === 'host' ? 'host' : '',
    CgroupnsMode: cgroup ?? 'private',
  };
}

function presentBlockDevices(resources: ResourceSpec): Partial<HostConfig> {
  const rates = (list: ResourceSpec['blkioReadBps']): readonly { Path: string; Rate: number }[] =>
    list.map(({ path, value }) => ({ Path: path, Rate: value }));
  return {
    BlkioWeight: resources.blkioWeight ?? 0,
    BlkioWeightDevice: resources.blkioWeightDevices.map(({ path, value }) => ({ Path: path, Weight: value })),
    BlkioDeviceReadBps: rates(resources.blkioReadBps),
    BlkioDeviceWriteBps: rates(resources.blkioWriteBps),
    BlkioDeviceReadIOps: rates(resources.blkioReadIops),
    BlkioDeviceWriteIOps: rates(resources.blkioWriteIops),
  };
}

function presentDeviceRequest(request: DeviceRequestSpec): DeviceRequest {
  return {
    Driver: request.driver,
    Count: request.count,
    DeviceIDs: orNull(request.deviceIds),
    Capabilities: orNull(request.capabilities),
    Options: request.options,
  };
}

export function presentRestartPolicy(policy: RestartPolicySpec): NonNullable<HostConfig['RestartPolicy']> {
  return { Name: policy.name, MaximumRetryCount: policy.name === 'on-failure' ? policy.maxRetries : 0 };
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

function orNull<T>(list: readonly T[]): readonly T[] | null {
  return list.length > 0 ? list : null;
}
