/** Containers on the wire (source: Engine API 1.55, tags Container and Exec). Times are RFC 3339 with nanoseconds unless a name says otherwise. */

import type { EndpointRequest } from './networks.ts';

export type ContainerStatus = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';

/** Keyed `port/protocol` (`80/tcp`); null where a port is exposed and not published. */
export type PortMap = Readonly<Record<string, readonly PortBinding[] | null>>;

export interface PortBinding {
  readonly HostIp?: string;
  /** A number, a range `8000-8010`, or empty for any free port. */
  readonly HostPort?: string;
}

export interface RestartPolicy {
  readonly Name?: '' | 'no' | 'always' | 'unless-stopped' | 'on-failure';
  readonly MaximumRetryCount?: number;
}

export interface LogConfig {
  readonly Type: string;
  readonly Config: Readonly<Record<string, string>>;
}

export interface Ulimit {
  readonly Name: string;
  readonly Soft: number;
  readonly Hard: number;
}

/** Bytes or operations per second. */
export interface ThrottledDevice {
  readonly Path: string;
  readonly Rate: number;
}

export interface DeviceMapping {
  readonly PathOnHost: string;
  readonly PathInContainer: string;
  /** Of `r`, `w`, `m`. */
  readonly CgroupPermissions: string;
}

export interface DeviceRequest {
  readonly Driver: string;
  /** -1: all. */
  readonly Count: number;
  readonly DeviceIDs?: readonly string[] | null;
  /** Any of these sets of capabilities will do. */
  readonly Capabilities?: readonly (readonly string[])[] | null;
  readonly Options?: Readonly<Record<string, string>> | null;
}

/** One `--mount`. */
export interface MountRequest {
  /** `bind`, `volume`, `tmpfs`, `image`, `npipe`, `cluster`. */
  readonly Type: string;
  readonly Source?: string;
  readonly Target?: string;
  readonly ReadOnly?: boolean;
  readonly Consistency?: string;
  readonly BindOptions?: {
    readonly Propagation?: string;
    readonly NonRecursive?: boolean;
    readonly CreateMountpoint?: boolean;
    readonly ReadOnlyNonRecursive?: boolean;
    readonly ReadOnlyForceRecursive?: boolean;
  };
  readonly VolumeOptions?: {
    readonly NoCopy?: boolean;
    readonly Labels?: Readonly<Record<string, string>>;
    readonly Subpath?: string;
    readonly DriverConfig?: { readonly Name?: string; readonly Options?: Readonly<Record<string, string>> };
  };
  readonly ImageOptions?: { readonly Subpath?: string };
  readonly TmpfsOptions?: {
    readonly SizeBytes?: number;
    readonly Mode?: number;
    readonly Options?: readonly (readonly string[])[];
  };
}

/** Durations in nanoseconds; 0: inherited from the image, or the default. */
export interface HealthConfig {
  /** `['NONE']`, `['CMD', …]`, `['CMD-SHELL', command]`; empty: the image's. */
  readonly Test?: readonly string[] | null;
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

export interface HostConfig {
  readonly Binds?: readonly string[] | null;
  readonly PortBindings?: PortMap | null;
  readonly PublishAllPorts?: boolean;
  readonly NetworkMode?: string;
  readonly AutoRemove?: boolean;
  readonly RestartPolicy?: RestartPolicy;
  readonly LogConfig?: LogConfig;
  readonly Privileged?: boolean;
  readonly ReadonlyRootfs?: boolean;
  readonly CapAdd?: readonly string[] | null;
  readonly CapDrop?: readonly string[] | null;
  readonly SecurityOpt?: readonly string[] | null;
  readonly Dns?: readonly string[] | null;
  readonly DnsSearch?: readonly string[] | null;
  readonly DnsOptions?: readonly string[] | null;
  readonly ExtraHosts?: readonly string[] | null;
  readonly Memory?: number;
  readonly MemorySwap?: number;
  readonly NanoCpus?: number;
  readonly CpuShares?: number;
  readonly CpuPeriod?: number;
  readonly CpuQuota?: number;
  readonly CpusetCpus?: string;
  readonly PidsLimit?: number | null;
  readonly ShmSize?: number;
  readonly Tmpfs?: Readonly<Record<string, string>> | null;
  readonly Mounts?: readonly MountRequest[] | null;
  readonly VolumeDriver?: string;
  /** `container[:ro|rw]`. */
  readonly VolumesFrom?: readonly string[] | null;
  /** `container:alias`. */
  readonly Links?: readonly string[] | null;
  readonly ContainerIDFile?: string;
  readonly Annotations?: Readonly<Record<string, string>> | null;
  readonly CgroupnsMode?: string;
  readonly CgroupParent?: string;
  /** `host`, `none`, `private`, `shareable`, `container:…`; empty: the engine's default. */
  readonly IpcMode?: string;
  readonly PidMode?: string;
  readonly UTSMode?: string;
  readonly UsernsMode?: string;
  readonly GroupAdd?: readonly string[] | null;
  readonly Init?: boolean | null;
  readonly Isolation?: string;
  readonly Cgroup?: string;
  readonly CpuCount?: number;
  readonly CpuPercent?: number;
  readonly IOMaximumIOps?: number;
  readonly IOMaximumBandwidth?: number;
  readonly Runtime?: string;
  readonly StorageOpt?: Readonly<Record<string, string>> | null;
  readonly Sysctls?: Readonly<Record<string, string>> | null;
  readonly Ulimits?: readonly Ulimit[] | null;
  readonly OomKillDisable?: boolean | null;
  readonly OomScoreAdj?: number;
  readonly MemoryReservation?: number;
  /** 0 to 100; null or -1: the kernel's own. */
  readonly MemorySwappiness?: number | null;
  readonly CpuRealtimePeriod?: number;
  readonly CpuRealtimeRuntime?: number;
  readonly CpusetMems?: string;
  readonly BlkioWeight?: number;
  readonly BlkioWeightDevice?: readonly { readonly Path: string; readonly Weight: number }[] | null;
  readonly BlkioDeviceReadBps?: readonly ThrottledDevice[] | null;
  readonly BlkioDeviceWriteBps?: readonly ThrottledDevice[] | null;
  readonly BlkioDeviceReadIOps?: readonly ThrottledDevice[] | null;
  readonly BlkioDeviceWriteIOps?: readonly ThrottledDevice[] | null;
  readonly Devices?: readonly DeviceMapping[] | null;
  readonly DeviceCgroupRules?: readonly string[] | null;
  readonly DeviceRequests?: readonly DeviceRequest[] | null;
  readonly MaskedPaths?: readonly string[] | null;
  readonly ReadonlyPaths?: readonly string[] | null;
  /** Rows and columns of the client's terminal, so that the first output already fits. */
  readonly ConsoleSize?: readonly [height: number, width: number];
}

export interface ContainerConfig {
  readonly Hostname?: string;
  readonly Domainname?: string;
  readonly User?: string;
  readonly AttachStdin?: boolean;
  readonly AttachStdout?: boolean;
  readonly AttachStderr?: boolean;
  readonly ExposedPorts?: Readonly<Record<string, object>> | null;
  readonly Tty?: boolean;
  readonly OpenStdin?: boolean;
  readonly StdinOnce?: boolean;
  readonly Env?: readonly string[] | null;
  readonly Cmd?: readonly string[] | string | null;
  readonly Entrypoint?: readonly string[] | string | null;
  readonly Image?: string;
  readonly Volumes?: Readonly<Record<string, object>> | null;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly OnBuild?: readonly string[] | null;
  readonly NetworkDisabled?: boolean;
  readonly StopSignal?: string;
  /** Seconds between the stop signal and KILL. */
  readonly StopTimeout?: number;
  readonly Healthcheck?: HealthConfig | null;
  /** In which `CMD-SHELL` of the health check runs. */
  readonly Shell?: readonly string[] | null;
  /** Of the default network; before API 1.44 the only place for it. */
  readonly MacAddress?: string;
}

export interface CreateContainerBody extends ContainerConfig {
  readonly HostConfig?: HostConfig | null;
  readonly NetworkingConfig?: {
    readonly EndpointsConfig?: Readonly<Record<string, EndpointRequest | null>> | null;
  } | null;
}

export interface CreateContainerAnswer {
  readonly Id: string;
  readonly Warnings: readonly string[];
}

export interface PortSummary {
  readonly IP?: string;
  readonly PrivatePort: number;
  readonly PublicPort?: number;
  readonly Type: 'tcp' | 'udp' | 'sctp';
}

export interface ContainerSummary {
  readonly Id: string;
  /** Each with a leading slash. */
  readonly Names: readonly string[];
  readonly Image: string;
  readonly ImageID: string;
  readonly Command: string;
  /** Unix seconds. */
  readonly Created: number;
  readonly Ports: readonly PortSummary[];
  readonly Labels: Readonly<Record<string, string>>;
  readonly State: ContainerStatus;
  /** For people: `Up 3 minutes`, `Exited (0) 2 hours ago`. */
  readonly Status: string;
  /** Since 1.52. */
  readonly Health?: {
    readonly Status: 'none' | 'starting' | 'healthy' | 'unhealthy';
    readonly FailingStreak: number;
  };
  readonly HostConfig: { readonly NetworkMode: string };
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, EndpointSettings>> };
  readonly Mounts: readonly MountPoint[];
  readonly SizeRw?: number;
  readonly SizeRootFs?: number;
}

export interface EndpointSettings {
  /** What was asked for; null: nothing. */
  readonly IPAMConfig: {
    readonly IPv4Address?: string;
    readonly IPv6Address?: string;
    readonly LinkLocalIPs?: readonly string[];
  } | null;
  readonly Links: readonly string[] | null;
  readonly Aliases: readonly string[] | null;
  readonly MacAddress: string;
  readonly DriverOpts: Readonly<Record<string, string>> | null;
  /** The endpoint with the highest one has the default route. */
  readonly GwPriority: number;
  readonly NetworkID: string;
  readonly EndpointID: string;
  readonly Gateway: string;
  readonly IPAddress: string;
  readonly IPPrefixLen: number;
  readonly IPv6Gateway: string;
  readonly GlobalIPv6Address: string;
  readonly GlobalIPv6PrefixLen: number;
  /** By which other containers of the network find it. */
  readonly DNSNames: readonly string[] | null;
}

export interface MountPoint {
  readonly Type: 'bind' | 'volume' | 'tmpfs' | 'image';
  readonly Name?: string;
  readonly Source: string;
  readonly Destination: string;
  readonly Driver?: string;
  readonly Mode: string;
  readonly RW: boolean;
  readonly Propagation: string;
}

export interface ContainerState {
  readonly Status: ContainerStatus;
  readonly Running: boolean;
  readonly Paused: boolean;
  readonly Restarting: boolean;
  readonly OOMKilled: boolean;
  readonly Dead: boolean;
  /** Process id on the engine's host; 0 when not running. */
  readonly Pid: number;
  readonly ExitCode: number;
  readonly Error: string;
  /** `0001-01-01T00:00:00Z` when it never happened. */
  readonly StartedAt: string;
  readonly FinishedAt: string;
  /** Only with a health check, from the first start on. */
  readonly Health?: {
    readonly Status: 'starting' | 'healthy' | 'unhealthy';
    readonly FailingStreak: number;
    readonly Log: readonly {
      readonly Start: string;
      readonly End: string;
      /** -1: it took too long, or could not be run. */
      readonly ExitCode: number;
      readonly Output: string;
    }[];
  };
}

export interface ContainerInspect {
  readonly Id: string;
  readonly Created: string;
  readonly Path: string;
  readonly Args: readonly string[];
  readonly State: ContainerState;
  /** The image's id, `sha256:…`. */
  readonly Image: string;
  readonly ResolvConfPath: string;
  readonly HostnamePath: string;
  readonly HostsPath: string;
  readonly LogPath: string;
  readonly Name: string;
  readonly RestartCount: number;
  readonly Driver: string;
  readonly Platform: string;
  readonly MountLabel: string;
  readonly ProcessLabel: string;
  readonly AppArmorProfile: string;
  readonly ExecIDs: readonly string[] | null;
  readonly HostConfig: HostConfig;
  readonly GraphDriver: { readonly Name: string; readonly Data: Readonly<Record<string, string>> };
  readonly SizeRw?: number;
  readonly SizeRootFs?: number;
  readonly Mounts: readonly MountPoint[];
  readonly Config: ContainerConfig;
  readonly NetworkSettings: {
    /** Those up to `MacAddress`: of the default bridge alone, and only for clients below 1.52. */
    readonly Bridge?: string;
    readonly HairpinMode?: boolean;
    readonly LinkLocalIPv6Address?: string;
    readonly LinkLocalIPv6PrefixLen?: number;
    readonly SecondaryIPAddresses?: null;
    readonly SecondaryIPv6Addresses?: null;
    readonly EndpointID?: string;
    readonly Gateway?: string;
    readonly GlobalIPv6Address?: string;
    readonly GlobalIPv6PrefixLen?: number;
    readonly IPAddress?: string;
    readonly IPPrefixLen?: number;
    readonly IPv6Gateway?: string;
    readonly MacAddress?: string;
    readonly SandboxID: string;
    readonly SandboxKey: string;
    readonly Ports: PortMap;
    readonly Networks: Readonly<Record<string, EndpointSettings>>;
  };
}

/** `next-exit` and `removed` never answer for what has already happened. */
export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

export interface WaitAnswer {
  readonly StatusCode: number;
  readonly Error?: { readonly Message: string } | null;
}

export interface TopAnswer {
  readonly Titles: readonly string[];
  readonly Processes: readonly (readonly string[])[] | null;
}

/** 0 modified, 1 added, 2 deleted. */
export interface FilesystemChange {
  readonly Kind: 0 | 1 | 2;
  readonly Path: string;
}

export interface ContainersPruned {
  readonly ContainersDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}

/** What `update` can change of a running container; 0 or absent leaves a limit as it is. */
export type UpdateContainerBody = Pick<
  HostConfig,
  | 'BlkioWeight' | 'CpuShares' | 'CpuPeriod' | 'CpuQuota' | 'CpuRealtimePeriod' | 'CpuRealtimeRuntime' | 'CpusetCpus'
  | 'CpusetMems' | 'Memory' | 'MemoryReservation' | 'MemorySwap' | 'NanoCpus' | 'PidsLimit' | 'RestartPolicy'
>; // prettier-ignore

/** The header `X-Docker-Container-Path-Stat` of the archive endpoints, base64 of this as JSON. */
export interface PathStat {
  readonly name: string;
  readonly size: number;
  /** As Go's os.FileMode: the upper bits are the type. */
  readonly mode: number;
  readonly mtime: string;
  readonly linkTarget: string;
}
