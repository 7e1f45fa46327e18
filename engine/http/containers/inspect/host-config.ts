import type { HostConfig, PortMap } from '../../../../api/containers.ts';
import type { ContainerSpec, PublishedPortSpec, RestartPolicySpec } from '../../../containers/spec.ts';
import { portKey } from '../ports.ts';

/** `HostConfig`: what was asked for, so that a create with it makes the same container again. */
export function presentHostConfig(spec: ContainerSpec): HostConfig {
  const { resources, network, process } = spec;
  const tmpfs = spec.mounts.flatMap((mount) =>
    mount.kind === 'tmpfs' ? [[mount.target, mount.options] as const] : [],
  );
  return {
    Binds: spec.mounts.flatMap((mount) =>
      mount.kind === 'bind' ? [`${mount.source}:${mount.target}${mount.mode === '' ? '' : `:${mount.mode}`}`] : [],
    ),
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
