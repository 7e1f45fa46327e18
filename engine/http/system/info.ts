import os from 'node:os';
import path from 'node:path';
import type { Parts } from '../../containers/parts.ts';
import type { EngineFacts } from '../../facts.ts';
import { logDrivers } from '../../logs/log-plan.ts';
import { formatInstant } from '../../model/time.ts';
import { engineVersion } from '../../version.ts';
import { registryInfo } from './registry-info.ts';

/** `GET /info` (source: Engine API, SystemInfo). What this engine does not have is said to be absent, not left out. */
export function infoAnswer(parts: Parts, facts: EngineFacts): object {
  const { controls } = parts.host;
  const containers = parts.directory.all();
  const running = containers.filter(({ state }) => state.status === 'running' || state.status === 'restarting').length;
  const paused = containers.filter(({ state }) => state.status === 'paused').length;
  return {
    ID: facts.engineId,
    Containers: containers.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: containers.length - running - paused,
    Images: parts.images.list().length,
    Driver: 'overlay2',
    DriverStatus: [['Backing Filesystem', 'overlayfs']],
    Plugins: {
      Volume: ['local'],
      Network: ['bridge', 'host', 'ipvlan', 'macvlan', 'null'],
      Authorization: null,
      Log: logDrivers.filter((driver) => driver !== 'none').toSorted(),
    },
    MemoryLimit: controls.hasMemory,
    SwapLimit: controls.hasSwap,
    KernelMemory: false,
    KernelMemoryTCP: false,
    CpuCfsPeriod: controls.hasCpuQuota,
    CpuCfsQuota: controls.hasCpuQuota,
    CPUShares: controls.hasCpuShares,
    CPUSet: controls.sets !== null,
    PidsLimit: controls.hasPids,
    BridgeNfIptables: true,
    BridgeNfIp6tables: true,
    IPv4Forwarding: true,
    Debug: facts.isDebugging,
    NFd: 0,
    OomKillDisable: controls.hasOomKillSwitch,
    NGoroutines: 0,
    SystemTime: formatInstant(parts.now()),
    LoggingDriver: parts.defaults.logDriver,
    CgroupDriver: 'cgroupfs',
    CgroupVersion: String(facts.cgroupVersion),
    NEventsListener: 0,
    KernelVersion: os.release(),
    OperatingSystem: facts.operatingSystem,
    OSVersion: '',
    OSType: 'linux',
    Architecture: os.machine(),
    ...registryInfo(facts.registries()),
    NCPU: os.availableParallelism(),
    MemTotal: os.totalmem(),
    GenericResources: null,
    DockerRootDir: facts.dataRoot,
    Name: os.hostname(),
    Labels: facts.labels,
    ExperimentalBuild: false,
    ServerVersion: engineVersion,
    // Clients name the one that dockerd has; both are this one.
    Runtimes: { crun: { path: parts.runtime.program }, runc: { path: parts.runtime.program } },
    DefaultRuntime: 'crun',
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: path.basename(parts.init.program ?? ''),
    ContainerdCommit: { ID: '' },
    RuncCommit: { ID: '' },
    InitCommit: { ID: '' },
    SecurityOptions: [
      ...(facts.hasSeccomp ? ['name=seccomp,profile=builtin'] : []),
      ...(facts.cgroupVersion === 2 ? ['name=cgroupns'] : []),
    ],
    FirewallBackend: { Driver: 'nftables' },
    DiscoveredDevices: [],
    CDISpecDirs: [],
    Warnings: null,
  };
}
