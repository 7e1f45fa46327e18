/** All that decides the OCI spec of a container, in the engine's own words; made by `engine/containers/` from its row. */
import path from 'node:path';
import type { ContainerId } from '../model/ids.ts';
import type { TerminalSize } from '../monitor/monitor.ts';
import type { ProcessUser } from './user.ts';

export interface ContainerSettings {
  readonly id: ContainerId;
  /** Absolute path of the mounted root. */
  readonly rootfs: string;
  readonly isRootReadOnly: boolean;
  /** Program and arguments; not empty. */
  readonly args: readonly string[];
  /** `KEY=value`, complete: defaults, image and user are merged already. */
  readonly env: readonly string[];
  /** Absolute, inside the container. */
  readonly workingDir: string;
  readonly user: ProcessUser;
  readonly hostname: string;
  readonly domainname: string;
  /** Null: pipes. `size` null: as the terminal comes. */
  readonly terminal: { readonly size: TerminalSize | null } | null;
  readonly namespaces: NamespaceChoice;
  /** A folder of the host that becomes /dev/shm, shared with others; `none`: there is no /dev/shm; null: one of its own. */
  readonly sharedMemory: { readonly folder: string } | 'none' | null;
  /** In any order: they are mounted parents first. A mount on a default one's destination (`/dev/shm`) takes its place. */
  readonly mounts: readonly ContainerMount[];
  /** Default 64 MiB when null. */
  readonly shmSizeBytes: number | null;
  readonly security: SecuritySettings;
  readonly devices: readonly DeviceGrant[];
  /** Rules in docker's words, `c 42:* rmw`. */
  readonly deviceRules: readonly string[];
  readonly resources: ResourceLimits;
  readonly rlimits: readonly Rlimit[];
  readonly sysctls: Readonly<Record<string, string>>;
  /** -1000..1000, or null for what the engine itself has. */
  readonly oomScoreAdjust: number | null;
  /** `/skiff-<engine>/<id>`: see `cgroupPath`. */
  readonly cgroup: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * A namespace of its own (`private`, made by crun; `path`: prepared), the host's, or that of another container, which is
 * joined (`/proc/<pid>/ns/ipc`) and whose settings are not this one's to change.
 */
export type NamespaceSource = 'private' | 'host' | { readonly path: string } | { readonly joined: string };

export interface NamespaceChoice {
  readonly network: NamespaceSource;
  readonly pid: NamespaceSource;
  readonly ipc: NamespaceSource;
  readonly uts: NamespaceSource;
  readonly cgroup: NamespaceSource;
}

export type ContainerMount =
  | {
      readonly kind: 'bind';
      readonly source: string;
      readonly target: string;
      /** `recursive` also makes what is mounted below it read-only; kernels before 5.12 cannot, see `HostFacts`. */
      readonly access: 'read-write' | 'read-only' | 'read-only-recursive';
      readonly propagation: 'private' | 'rprivate' | 'slave' | 'rslave' | 'shared' | 'rshared';
      /** Also what is mounted below the source. */
      readonly isRecursive: boolean;
    }
  /** `options`: as given by the user (`size=64m`, `mode=1770`, `exec`), after the defaults noexec, nosuid, nodev. */
  | { readonly kind: 'tmpfs'; readonly target: string; readonly options: readonly string[] };

export interface SecuritySettings {
  readonly isPrivileged: boolean;
  /** Names with or without `CAP_`, in any case, or `ALL`. */
  readonly addedCapabilities: readonly string[];
  readonly droppedCapabilities: readonly string[];
  readonly mayGainPrivileges: boolean;
  /** Its own part of the cgroup tree is writable (always, when privileged). */
  readonly hasWritableCgroups: boolean;
  /** Name of a profile that the kernel has loaded; null: none is set. */
  readonly apparmorProfile: string | null;
  readonly seccomp: 'default' | 'unconfined' | { readonly profile: SeccompProfile };
  /** Null: the defaults. */
  readonly maskedPaths: readonly string[] | null;
  readonly readonlyPaths: readonly string[] | null;
}

/** A profile in the form that `--security-opt seccomp=FILE` takes (source: docker's documentation of seccomp profiles). */
export interface SeccompProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly archMap?: readonly { readonly architecture: string; readonly subArchitectures?: readonly string[] | null }[];
  readonly flags?: readonly string[];
  readonly syscalls: readonly SeccompRule[];
}

export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArgument[] | null;
  readonly includes?: SeccompCondition;
  readonly excludes?: SeccompCondition;
}

export interface SeccompArgument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: string;
}

export interface SeccompCondition {
  readonly caps?: readonly string[];
  /** Go's words: `amd64`, `arm64`, `x32`, … */
  readonly arches?: readonly string[];
  readonly minKernel?: string;
}

export interface DeviceGrant {
  readonly path: string;
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
  /** Any of `r`, `w`, `m`. */
  readonly access: string;
}

/** A limit for one block device. */
export interface BlkioLimit {
  readonly major: number;
  readonly minor: number;
  /** A weight, or bytes or operations a second. */
  readonly value: number;
}

/** Null everywhere: no limit, or the kernel's own. */
export interface ResourceLimits {
  readonly memoryBytes: number | null;
  readonly memoryReservationBytes: number | null;
  /** Memory and swap together, as docker counts; -1 unlimited; null with a memory limit means twice that. */
  readonly memoryAndSwapBytes: number | null;
  /** 0..100; cgroups v1 only, as the next. */
  readonly memorySwappiness: number | null;
  readonly isOomKillDisabled: boolean;
  /** Billionths of a processor. Excludes quota and period. */
  readonly nanoCpus: number | null;
  readonly cpuShares: number | null;
  readonly cpuQuotaMicros: number | null;
  readonly cpuPeriodMicros: number | null;
  readonly cpuRealtimeRuntimeMicros: number | null;
  readonly cpuRealtimePeriodMicros: number | null;
  readonly cpusetCpus: string | null;
  readonly cpusetMems: string | null;
  readonly pidsLimit: number | null;
  /** 10..1000 */
  readonly blkioWeight: number | null;
  readonly blkioWeightDevices: readonly BlkioLimit[];
  readonly blkioReadBps: readonly BlkioLimit[];
  readonly blkioWriteBps: readonly BlkioLimit[];
  readonly blkioReadIops: readonly BlkioLimit[];
  readonly blkioWriteIops: readonly BlkioLimit[];
}

export interface Rlimit {
  /** `nofile`, without RLIMIT_. */
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

/** What `buildSpec` must know of the computer; read once by `readHostFacts`. */
export interface HostFacts {
  readonly cgroupVersion: 1 | 2;
  readonly arch: 'x64' | 'arm64';
  /** `[6, 12]` */
  readonly kernel: readonly [major: number, minor: number];
  /** The bounding set of this process, as `CAP_…` names: what a privileged container gets. */
  readonly capabilities: readonly string[];
  readonly hasSeccomp: boolean;
  readonly hasAppArmor: boolean;
  readonly controls: HostControls;
  /** Processors of the computer, also those that are off: each has a path that is masked. */
  readonly cpuCount: number;
  /** The hard limit of open files of this process: containers can only be given more with a capability that it may lack. */
  readonly maxOpenFiles: number;
  /** All device nodes of the host, for privileged containers. */
  readonly devices: readonly DeviceGrant[];
}

/** Which limits this kernel can enforce (source: moby's verifyPlatformContainerResources names each in its warnings). */
export interface HostControls {
  readonly hasMemory: boolean;
  /** Swap can be limited: always with cgroups v2, with v1 only when the kernel accounts for it. */
  readonly hasSwap: boolean;
  readonly hasSwappiness: boolean;
  readonly hasOomKillSwitch: boolean;
  readonly hasPids: boolean;
  readonly hasCpuShares: boolean;
  readonly hasCpuQuota: boolean;
  readonly hasRealtime: boolean;
  /** Processors and memory nodes that containers may be bound to, `0-3`; null without cpusets. */
  readonly sets: { readonly cpus: string; readonly mems: string } | null;
  readonly hasBlkioWeight: boolean;
  readonly hasBlkioWeightDevice: boolean;
  readonly hasBlkioRates: boolean;
  /** Processors that are on. */
  readonly processors: number;
}

/** No limit at all. */
export const unlimited: ResourceLimits = {
  memoryBytes: null,
  memoryReservationBytes: null,
  memoryAndSwapBytes: null,
  memorySwappiness: null,
  isOomKillDisabled: false,
  nanoCpus: null,
  cpuShares: null,
  cpuQuotaMicros: null,
  cpuPeriodMicros: null,
  cpuRealtimeRuntimeMicros: null,
  cpuRealtimePeriodMicros: null,
  cpusetCpus: null,
  cpusetMems: null,
  pidsLimit: null,
  blkioWeight: null,
  blkioWeightDevices: [],
  blkioReadBps: [],
  blkioWriteBps: [],
  blkioReadIops: [],
  blkioWriteIops: [],
};

export const defaultSecurity: SecuritySettings = {
  isPrivileged: false,
  addedCapabilities: [],
  droppedCapabilities: [],
  mayGainPrivileges: true,
  hasWritableCgroups: false,
  apparmorProfile: null,
  seccomp: 'default',
  maskedPaths: null,
  readonlyPaths: null,
};

/**
 * The cgroup of a container: each engine has a folder of its own, so that engines side by side never meet. `parent`: the
 * folder that was asked for instead; it cannot lead out of the tree.
 */
export function cgroupPath(engine: string, id: ContainerId, parent = ''): string {
  return path.posix.join('/', parent === '' ? `skiff-${engine}` : parent, id);
}
