import type { HostConfig, Ulimit } from '../../api/containers.ts';
import { isQualifiedDevice, parseDevice } from './devices.ts';
import { parseLabels } from './environment.ts';
import type { parsePublished } from './ports.ts';
import type { RunFlags } from './run-flags.ts';
import { parseSecurity } from './security.ts';
import type { parseVolumes } from './volumes.ts';

export interface ParsedParts {
  readonly ports: ReturnType<typeof parsePublished>;
  readonly volumes: ReturnType<typeof parseVolumes>;
  readonly networkMode: string;
  /** Of the terminal, where there is one. */
  readonly consoleSize: readonly [rows: number, columns: number] | null;
  readonly readFile: (path: string) => string;
}

/** How the host runs the container. Fields that nobody asked for are left out: the engine has defaults of its own. */
export function hostConfig(flags: RunFlags, parts: ParsedParts): HostConfig {
  checkRanges(flags);
  return {
    Binds: parts.volumes.binds,
    PortBindings: parts.ports.bindings,
    PublishAllPorts: flags.publishAll,
    NetworkMode: parts.networkMode,
    AutoRemove: flags.rm,
    RestartPolicy: flags.restart ?? { Name: 'no', MaximumRetryCount: 0 },
    Privileged: flags.privileged,
    ReadonlyRootfs: flags.readOnly,
    ...given({
      ...namesAndMounts(flags),
      ...security(flags, parts.readFile),
      ...resources(flags),
      ConsoleSize: flags.tty ? (parts.consoleSize ?? undefined) : undefined,
      LogConfig:
        flags.logDriver === undefined && flags.logOpt.length === 0
          ? undefined
          : { Type: flags.logDriver ?? '', Config: parseLabels(flags.logOpt) },
    }),
  };
}

/** Fields of which some are not given. */
type Open = { readonly [K in keyof HostConfig]: HostConfig[K] | undefined };

function namesAndMounts(flags: RunFlags): Open {
  return {
    Dns: nonEmpty(flags.dns),
    DnsSearch: nonEmpty(flags.dnsSearch),
    DnsOptions: nonEmpty([...flags.dnsOption, ...flags.dnsOpt]),
    ExtraHosts: nonEmpty(flags.addHost),
    Links: nonEmpty(flags.link),
    Mounts: nonEmpty(flags.mount),
    VolumesFrom: nonEmpty(flags.volumesFrom),
    VolumeDriver: flags.volumeDriver,
    Tmpfs: flags.tmpfs.length > 0 ? Object.fromEntries(flags.tmpfs.map(tmpfsEntry)) : undefined,
    ContainerIDFile: flags.cidfile,
    StorageOpt: flags.storageOpt.length > 0 ? storageOptions(flags.storageOpt) : undefined,
  };
}

function security(flags: RunFlags, readFile: (path: string) => string): Open {
  const added = capabilityNames(flags.capAdd);
  const { options, isUnmasked } = parseSecurity(flags.securityOpt, readFile);
  return {
    CapAdd: nonEmpty(added),
    CapDrop: nonEmpty(capabilityNames(flags.capDrop).filter((name) => !added.includes(name))),
    GroupAdd: nonEmpty(flags.groupAdd),
    SecurityOpt: nonEmpty(options),
    ...(isUnmasked ? { MaskedPaths: [], ReadonlyPaths: [] } : {}),
    Annotations: Object.keys(flags.annotation).length > 0 ? flags.annotation : undefined,
    CgroupnsMode: namespaceOf('cgroupns', flags.cgroupns, { kind: 'CGROUP', known: ['host', 'private'] }),
    PidMode: namespaceOf('pid', flags.pid, { kind: 'PID', known: ['host', 'container:'] }),
    UTSMode: namespaceOf('uts', flags.uts, { kind: 'UTS', known: ['host'] }),
    UsernsMode: namespaceOf('userns', flags.userns, { kind: 'USER', known: ['host'] }),
    IpcMode: flags.ipc,
    Init: flags.init,
    Isolation: flags.isolation,
    Runtime: flags.runtime,
    Sysctls: flags.sysctl.length > 0 ? Object.fromEntries(flags.sysctl) : undefined,
  };
}

function resources(flags: RunFlags): Open {
  const paths = flags.device.filter((device) => !isQualifiedDevice(device));
  const qualified = flags.device.filter(isQualifiedDevice);
  const requests = [
    ...flags.gpus,
    ...(qualified.length > 0 ? [{ Driver: 'cdi', Count: 0, DeviceIDs: qualified }] : []),
  ];
  return {
    Memory: flags.memory,
    MemoryReservation: flags.memoryReservation,
    MemorySwap: flags.memorySwap,
    MemorySwappiness: flags.memorySwappiness,
    NanoCpus: flags.cpus,
    CpuShares: flags.cpuShares,
    CpuPeriod: flags.cpuPeriod,
    CpuQuota: flags.cpuQuota,
    CpuRealtimePeriod: flags.cpuRtPeriod,
    CpuRealtimeRuntime: flags.cpuRtRuntime,
    CpusetCpus: flags.cpusetCpus,
    CpusetMems: flags.cpusetMems,
    PidsLimit: flags.pidsLimit,
    ShmSize: flags.shmSize,
    OomKillDisable: flags.oomKillDisable || undefined,
    OomScoreAdj: flags.oomScoreAdj,
    CgroupParent: flags.cgroupParent,
    BlkioWeight: flags.blkioWeight,
    BlkioWeightDevice: nonEmpty(flags.blkioWeightDevice),
    BlkioDeviceReadBps: nonEmpty(flags.deviceReadBps),
    BlkioDeviceReadIOps: nonEmpty(flags.deviceReadIops),
    BlkioDeviceWriteBps: nonEmpty(flags.deviceWriteBps),
    BlkioDeviceWriteIOps: nonEmpty(flags.deviceWriteIops),
    Ulimits: nonEmpty(byName(flags.ulimit)),
    Devices: nonEmpty(paths.map(parseDevice)),
    DeviceCgroupRules: nonEmpty(flags.deviceCgroupRule),
    DeviceRequests: nonEmpty(requests),
  };
}

/** The last of each name counts. */
function byName(limits: readonly Ulimit[]): Ulimit[] {
  const found = new Map(limits.map((limit) => [limit.Name, limit]));
  return [...found.values()].sort((a, b) => (a.Name < b.Name ? -1 : 1));
}

/** `net_admin` and `CAP_NET_ADMIN` are one; beside `ALL` no other says anything. */
function capabilityNames(given: readonly string[]): string[] {
  const names = given
    .map((text) => text.trim().toUpperCase())
    .map((name) => (name === 'ALL' || name === 'RESET' || name.startsWith('CAP_') ? name : `CAP_${name}`));
  return names.includes('ALL') ? ['ALL'] : [...new Set(names)].sort();
}

function checkRanges({ memorySwappiness: swappiness = -1, logDriver, logOpt }: RunFlags): void {
  if (logDriver === 'none' && logOpt.length > 0) throw new RangeError('invalid logging opts for driver none');
  if (swappiness < -1 || swappiness > 100) {
    throw new RangeError(`invalid value: ${swappiness}. Valid memory swappiness range is 0-100`);
  }
}

/** Undefined stays so. `container:` stands for a container by name. */
function namespaceOf(
  flagName: string,
  value: string | undefined,
  { kind, known }: { readonly kind: string; readonly known: readonly string[] },
): string | undefined {
  const isKnown = (text: string): boolean =>
    known.some((word) => (word.endsWith(':') ? text.startsWith(word) && text.length > word.length : text === word));
  if (value === undefined || value === '' || isKnown(value)) return value;
  throw new RangeError(`--${flagName}: invalid ${kind} mode`);
}

function given<T extends object>(fields: T): { readonly [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    readonly [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function nonEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length > 0 ? list : undefined;
}

function tmpfsEntry(text: string): [string, string] {
  const at = text.indexOf(':');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function storageOptions(options: readonly string[]): Record<string, string> {
  if (options.some((option) => !option.includes('='))) throw new RangeError('invalid storage option');
  return parseLabels(options);
}
