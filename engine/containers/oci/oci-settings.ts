/** From a container's row to what `runtime/` builds an OCI spec of. */
import type { EndpointPlan } from '../../networks/networks.ts';
import type { Root } from '../../rootfs/rootfs.ts';
import {
  type ContainerMount,
  type ContainerSettings,
  type DeviceGrant,
  type NamespaceSource,
  type SecuritySettings,
  defaultSecurity,
} from '../../runtime/container-settings.ts';
import { requestedDevices } from '../../runtime/host-devices.ts';
import { withSecurityOption } from '../../runtime/security-options.ts';
import type { ProcessUser } from '../../runtime/user.ts';
import type { Container } from '../container.ts';
import { environment } from '../spec/environment.ts';
import type { JoinedNamespaces } from './joined-namespaces.ts';
import { limitsOf } from '../spec/limits-of.ts';
import type { NetworkFiles } from '../network/network-files.ts';
import type { ContainerSpec, MountSpec } from '../spec/spec.ts';

export function ociSettings(parts: {
  readonly container: Container;
  readonly root: Root;
  /** Those that it was made with, ready to be mounted. */
  readonly mounts: readonly ContainerMount[];
  readonly plan: EndpointPlan;
  readonly files: NetworkFiles;
  readonly user: ProcessUser;
  readonly joined: JoinedNamespaces;
  /** The program that is process 1 and starts the container's own; null: none. */
  readonly init: string | null;
  readonly cgroup: string;
  /** Variables that its links bring. */
  readonly linked: readonly string[];
}): ContainerSettings {
  const { container, mounts, root, plan, files, user, joined, init, cgroup, linked } = parts;
  const { id, spec } = container;
  const { process, namespaces } = spec;
  const words = [...process.entrypoint, ...process.command];
  return {
    id,
    rootfs: root.merged,
    isRootReadOnly: spec.isRootReadOnly,
    args: init === null ? words : [initInContainer, '--', ...words],
    env: environment(spec, user.home, linked),
    workingDir: process.workingDir || '/',
    user,
    hostname: spec.hostname,
    domainname: spec.domainname,
    terminal: process.hasTerminal ? { size: process.consoleSize } : null,
    namespaces: {
      network: networkNamespace(spec, plan),
      pid: joined.pid,
      ipc: joined.ipc,
      uts: namespaces.uts,
      cgroup: namespaces.cgroup ?? 'private',
    },
    sharedMemory: joined.sharedMemory,
    mounts: [...etcMounts(files, spec.mounts), ...mounts, ...(init === null ? [] : [initMount(init)])],
    shmSizeBytes: spec.shmSizeBytes,
    security: securitySettings(spec),
    devices: spec.devices.flatMap((device) => devicesOf(spec, device)),
    deviceRules: spec.deviceRules,
    resources: limitsOf(spec.resources),
    rlimits: process.ulimits,
    sysctls: spec.sysctls,
    oomScoreAdjust: process.oomScoreAdjust,
    cgroup,
    annotations: Object.fromEntries(Object.entries(spec.annotations).filter(([name]) => !name.startsWith(crunsOwn))),
  };
}

/** Where docker has it, which some images look for. */
const initInContainer = '/sbin/docker-init';

function initMount(program: string): ContainerMount {
  return {
    kind: 'bind',
    source: program,
    target: initInContainer,
    access: 'read-only',
    propagation: 'rprivate',
    isRecursive: false,
  };
}

/** Switches of crun itself: with them an annotation could take a container's seccomp filter away. */
const crunsOwn = 'run.oci.';

function networkNamespace(spec: ContainerSpec, plan: EndpointPlan): NamespaceSource {
  if (plan.netnsPath === null) return 'host';
  return typeof spec.network.mode === 'object' ? { joined: plan.netnsPath } : { path: plan.netnsPath };
}

/** A privileged container has all devices already under the names that they have on the host. */
function devicesOf(spec: ContainerSpec, device: ContainerSpec['devices'][number]): readonly DeviceGrant[] {
  if (spec.isPrivileged && device.pathOnHost === device.pathInContainer) return [];
  return requestedDevices(device);
}

/** A client's own mount on one of these files takes its place. */
function etcMounts(files: NetworkFiles, given: readonly MountSpec[]): readonly ContainerMount[] {
  const taken = new Set(given.map(({ target }) => target));
  return (
    [
      ['/etc/hosts', files.hosts],
      ['/etc/hostname', files.hostname],
      ['/etc/resolv.conf', files.resolvConf],
    ] as const
  )
    .filter(([target]) => !taken.has(target))
    .map(([target, source]) => ({
      kind: 'bind',
      source,
      target,
      access: 'read-write',
      propagation: 'rprivate',
      isRecursive: true,
    }));
}

function securitySettings(spec: ContainerSpec): SecuritySettings {
  const settings: SecuritySettings = {
    ...defaultSecurity,
    isPrivileged: spec.isPrivileged,
    addedCapabilities: spec.addedCapabilities,
    droppedCapabilities: spec.droppedCapabilities,
    maskedPaths: spec.maskedPaths,
    readonlyPaths: spec.readonlyPaths,
  };
  return spec.securityOptions.reduce(withSecurityOption, settings);
}
