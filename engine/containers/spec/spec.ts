import type { LogDriver } from '../../logs/log-plan.ts';
import type { ContainerId, ImageId, NetworkId } from '../../model/ids.ts';

/**
 * What a container was created with, in our own words; `update`, `rename` and `connect` change it later. Stored as JSON;
 * `http/containers/` translates from and to Docker's. A field that is added later has its default in `stored-spec.ts`.
 */
export interface ContainerSpec {
  /** RFC 3339. */
  readonly createdAt: string;
  readonly imageId: ImageId;
  /** As the client named it; shown back. */
  readonly imageName: string;
  readonly process: ProcessSpec;
  readonly hostname: string;
  readonly domainname: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly stopSignal: string | null;
  readonly stopTimeoutSeconds: number | null;
  readonly restartPolicy: RestartPolicySpec;
  /** Null: neither client nor image has one. */
  readonly healthcheck: HealthcheckSpec | null;
  /** In which `CMD-SHELL` of a health check runs; null: `/bin/sh -c`. */
  readonly shell: readonly string[] | null;
  readonly network: NetworkSpec;
  /** In the order in which they are made; those of image VOLUMEs and of other containers included. */
  readonly mounts: readonly MountSpec[];
  /** `Volumes` of client and image: shown back, also where another mount took the place. */
  readonly declaredVolumes: readonly string[];
  /** `container[:ro|rw]`, as given; what they stand for is in `mounts`. */
  readonly volumesFrom: readonly string[];
  readonly isAutoRemoved: boolean;
  readonly isPrivileged: boolean;
  readonly isRootReadOnly: boolean;
  /** A tiny init is process 1. Null: the engine's default. */
  readonly hasInit: boolean | null;
  readonly namespaces: NamespaceSpec;
  readonly addedCapabilities: readonly string[];
  readonly droppedCapabilities: readonly string[];
  readonly securityOptions: readonly string[];
  /** Null: the defaults. */
  readonly maskedPaths: readonly string[] | null;
  readonly readonlyPaths: readonly string[] | null;
  readonly devices: readonly DeviceSpec[];
  /** `c 42:* rwm`. */
  readonly deviceRules: readonly string[];
  /** `--gpus` and CDI devices: kept to be shown; a container with any of them cannot be started. */
  readonly deviceRequests: readonly DeviceRequestSpec[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly resources: ResourceSpec;
  readonly log: { readonly driver: LogDriver; readonly options: Readonly<Record<string, string>> };
  readonly shmSizeBytes: number;
  /** `--storage-opt`. */
  readonly storageOptions: Readonly<Record<string, string>>;
  /** As the client named it (`runc`, `crun`); empty: the engine's. */
  readonly runtime: string;
}

export type RestartPolicySpec =
  | { readonly name: 'no' | 'always' | 'unless-stopped' }
  /** 0: without an end. */
  | { readonly name: 'on-failure'; readonly maxRetries: number };

/** Durations in nanoseconds as on the wire; 0: the default. */
export interface HealthcheckSpec {
  /** `CMD`, words … or `CMD-SHELL`, line; `NONE` switches the image's off. */
  readonly test: readonly string[];
  readonly intervalNs: number;
  readonly timeoutNs: number;
  readonly startPeriodNs: number;
  readonly startIntervalNs: number;
  readonly retries: number;
}

/** With whom a container shares. `private`: nobody. */
export type NamespaceShare = 'private' | 'host' | { readonly container: ContainerId };

export interface NamespaceSpec {
  readonly pid: NamespaceShare;
  /** `shareable`: other containers may join. `none`: private, without /dev/shm. */
  readonly ipc: NamespaceShare | 'shareable' | 'none';
  readonly uts: 'private' | 'host';
  /** Null: private with cgroups v2, the host's with v1. */
  readonly cgroup: 'private' | 'host' | null;
  readonly user: 'default' | 'host';
}

export interface DeviceSpec {
  readonly pathOnHost: string;
  readonly pathInContainer: string;
  /** Any of `r`, `w`, `m`. */
  readonly access: string;
}

export interface DeviceRequestSpec {
  readonly driver: string;
  /** -1: all. */
  readonly count: number;
  readonly deviceIds: readonly string[];
  /** Any of these sets will do. */
  readonly capabilities: readonly (readonly string[])[];
  readonly options: Readonly<Record<string, string>>;
}

export interface ProcessSpec {
  /** As given or taken from the image; the command line is entrypoint followed by command. */
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  /** `KEY=value`: the image's, overridden by the client's. */
  readonly env: readonly string[];
  /** Absolute; empty when neither client nor image names one, which is `/`. */
  readonly workingDir: string;
  /** `name`, `uid`, `name:group`, …; empty is root. */
  readonly user: string;
  /** Further groups, by name or number. */
  readonly addedGroups: readonly string[];
  /** -1000..1000; null: the engine's own. */
  readonly oomScoreAdjust: number | null;
  readonly ulimits: readonly UlimitSpec[];
  readonly hasTerminal: boolean;
  readonly consoleSize: { readonly rows: number; readonly columns: number } | null;
  /** Standard input stays open for clients that attach. */
  readonly isStdinOpen: boolean;
  /** The end of the first client's input is the end of the container's. */
  readonly isStdinOnce: boolean;
  readonly attached: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
}

export interface UlimitSpec {
  /** `nofile`, without RLIMIT_. */
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

/** `network`: endpoints in the networks that `endpoints` names; the first of them is the one that was asked for with `--network`. */
/** `container`: its id, or what the client wrote when there was none: then a start fails. */
export type NetworkMode = 'network' | 'host' | 'none' | { readonly container: string };

export type Protocol = 'tcp' | 'udp' | 'sctp';

export interface NetworkSpec {
  readonly mode: NetworkMode;
  /** As the client wrote it (`default`, `bridge`, `my-net`, `container:web`); shown back. */
  readonly shownMode: string;
  /** In mode `network` only; in the order in which they become eth0, eth1, … */
  readonly endpoints: readonly EndpointSpec[];
  /** `NetworkDisabled`: lo alone, whatever the mode. */
  readonly isDisabled: boolean;
  /** Ports that image or client declare. */
  readonly exposed: readonly PortSpec[];
  readonly published: readonly PublishedPortSpec[];
  readonly publishesAll: boolean;
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
  /** `name:address`. */
  readonly extraHosts: readonly string[];
  /** Legacy links of the default bridge, `container:alias`. */
  readonly links: readonly string[];
  /** Of the first endpoint, where a client gave it for the container (before API 1.44); null: made up. */
  readonly macAddress: string | null;
}

/** What was asked for of one network. */
export interface EndpointSpec {
  /** Id or name, as given, later its name; `bridge` is the default one. */
  readonly network: string;
  /** What `network` stood for at the last start or connect; null: neither has been. */
  readonly networkId: NetworkId | null;
  readonly aliases: readonly string[];
  /** `container:alias`, private to this container. */
  readonly links: readonly string[];
  /** Null: the network's to choose. */
  readonly ipv4Address: string | null;
  readonly ipv6Address: string | null;
  readonly linkLocalAddresses: readonly string[];
  readonly macAddress: string | null;
  readonly driverOptions: Readonly<Record<string, string>>;
  /** The highest has the default route. */
  readonly gatewayPriority: number;
}

export interface PortSpec {
  readonly port: number;
  readonly protocol: Protocol;
}

export interface PublishedPortSpec extends PortSpec {
  /** Null: every address, IPv4 and IPv6. */
  readonly hostAddress: string | null;
  /** First and last port of the host to choose from; null: any free one. */
  readonly hostPorts: { readonly first: number; readonly last: number } | null;
}

export type MountSpec =
  | {
      readonly kind: 'bind';
      readonly source: string;
      readonly target: string;
      readonly isReadOnly: boolean;
      /** In a request: empty when not given. */
      readonly propagation: string;
      /** As the client wrote it: `ro,rslave`. */
      readonly mode: string;
      /** A source that is missing is made (`-v`), or an error (`--mount`). */
      readonly whenMissing: 'make' | 'fail';
      /** Whether what is mounted below the source comes along. */
      readonly isRecursive: boolean;
      /** What a read-only mount does to what is mounted below it: as far as the kernel can, not at all, or else an error. */
      readonly recursiveReadOnly: 'if-possible' | 'no' | 'required';
      readonly from: MountOrigin;
    }
  | {
      readonly kind: 'volume';
      /** Its name in the store of volumes, also of an anonymous one. */
      readonly name: string;
      /** Removed with its container by `rm -v` and `--rm`. */
      readonly isAnonymous: boolean;
      readonly target: string;
      readonly isReadOnly: boolean;
      readonly mode: string;
      readonly copiesUp: boolean;
      /** Empty: the whole volume. */
      readonly subpath: string;
      readonly driver: string;
      readonly driverOptions: Readonly<Record<string, string>>;
      readonly labels: Readonly<Record<string, string>>;
      readonly from: MountOrigin;
    }
  | { readonly kind: 'tmpfs'; readonly target: string; readonly options: string; readonly from: MountOrigin }
  /** The root of an image, read-only. */
  | {
      readonly kind: 'image';
      readonly image: string;
      readonly subpath: string;
      readonly target: string;
      readonly from: MountOrigin;
    };

/** Which of docker's fields it came in and is shown in: `Binds`, `Mounts`, `Tmpfs`, `Volumes` (of client or image), `VolumesFrom`. */
export type MountOrigin = 'binds' | 'mounts' | 'tmpfs' | 'volumes' | 'volumes-from';

/** Null: not limited, or the kernel's own. */
export interface ResourceSpec {
  readonly memoryBytes: number | null;
  /** Memory and swap together; -1: unlimited swap. */
  readonly memorySwapBytes: number | null;
  readonly memoryReservationBytes: number | null;
  /** 0..100; cgroups v1 only. */
  readonly memorySwappiness: number | null;
  readonly isOomKillDisabled: boolean | null;
  readonly nanoCpus: number | null;
  readonly cpuShares: number | null;
  readonly cpuPeriodUs: number | null;
  readonly cpuQuotaUs: number | null;
  readonly cpuRealtimePeriodUs: number | null;
  readonly cpuRealtimeRuntimeUs: number | null;
  readonly cpusetCpus: string | null;
  readonly cpusetMems: string | null;
  /** 0 or -1: not limited, as given. */
  readonly pidsLimit: number | null;
  /** 10..1000. */
  readonly blkioWeight: number | null;
  readonly blkioWeightDevices: readonly BlkioDeviceSpec[];
  readonly blkioReadBps: readonly BlkioDeviceSpec[];
  readonly blkioWriteBps: readonly BlkioDeviceSpec[];
  readonly blkioReadIops: readonly BlkioDeviceSpec[];
  readonly blkioWriteIops: readonly BlkioDeviceSpec[];
  readonly cgroupParent: string;
}

export interface BlkioDeviceSpec {
  readonly path: string;
  readonly value: number;
}
