/** From a container's row to what `runtime/` builds an OCI spec of. */
import { lstatSync, mkdirSync, statSync } from 'node:fs';
import { EngineError, invalid, notImplemented } from '../model/errors.ts';
import type { EndpointPlan } from '../networks/networks.ts';
import type { Root } from '../rootfs/rootfs.ts';
import {
  type ContainerMount,
  type ContainerSettings,
  type SeccompProfile,
  type SecuritySettings,
  cgroupPath,
  defaultSecurity,
  unlimited,
} from '../runtime/container-settings.ts';
import type { ProcessUser } from '../runtime/user.ts';
import type { Container } from './container.ts';
import type { NetworkFiles } from './network-files.ts';
import type { ContainerSpec, MountSpec } from './spec.ts';

export function ociSettings(parts: {
  readonly container: Container;
  readonly root: Root;
  readonly plan: EndpointPlan;
  readonly files: NetworkFiles;
  readonly user: ProcessUser;
  readonly engineName: string;
}): ContainerSettings {
  const { container, root, plan, files, user, engineName } = parts;
  const { id, spec } = container;
  const { process } = spec;
  return {
    id,
    rootfs: root.merged,
    isRootReadOnly: spec.isRootReadOnly,
    args: [...process.entrypoint, ...process.command],
    env: environment(spec, user),
    workingDir: process.workingDir,
    user,
    hostname: spec.hostname,
    domainname: spec.domainname,
    terminal: process.hasTerminal ? { size: process.consoleSize } : null,
    namespaces: {
      network: plan.netnsPath === null ? 'host' : { path: plan.netnsPath },
      pid: 'private',
      ipc: 'private',
      uts: plan.mode === 'host' ? 'host' : 'private',
      cgroup: 'private',
    },
    mounts: [...etcMounts(files, spec.mounts), ...spec.mounts.flatMap(mountOf)],
    shmSizeBytes: spec.shmSizeBytes,
    security: securitySettings(spec),
    devices: [],
    deviceRules: [],
    resources: {
      ...unlimited,
      memoryBytes: spec.resources.memoryBytes,
      memoryAndSwapBytes: spec.resources.memorySwapBytes,
      nanoCpus: spec.resources.nanoCpus,
      cpuShares: spec.resources.cpuShares,
      cpuQuotaMicros: spec.resources.cpuQuotaUs,
      cpuPeriodMicros: spec.resources.cpuPeriodUs,
      cpusetCpus: spec.resources.cpusetCpus,
      pidsLimit: spec.resources.pidsLimit,
    },
    rlimits: [],
    sysctls: {},
    oomScoreAdjust: null,
    cgroup: cgroupPath(engineName, id),
    annotations: {},
  };
}

/** Docker's order: what the engine knows first, then image and client, who may override it. */
function environment(spec: ContainerSpec, user: ProcessUser): readonly string[] {
  const given = new Set(spec.process.env.map((variable) => variable.split('=', 1)[0]));
  const defaults = [
    `HOSTNAME=${spec.hostname}`,
    ...(spec.process.hasTerminal ? ['TERM=xterm'] : []),
    `HOME=${user.home}`,
  ];
  return [...defaults.filter((variable) => !given.has(variable.split('=', 1)[0] ?? '')), ...spec.process.env];
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

function mountOf(mount: MountSpec): readonly ContainerMount[] {
  if (mount.kind === 'tmpfs') {
    return [{ kind: 'tmpfs', target: mount.target, options: mount.options === '' ? [] : mount.options.split(',') }];
  }
  if (mount.kind !== 'bind') throw notImplemented(`${mount.kind} mounts are not there yet`);
  return [
    {
      kind: 'bind',
      source: mount.source,
      target: mount.target,
      access: mount.isReadOnly ? 'read-only-recursive' : 'read-write',
      propagation: propagationOf(mount.propagation),
      isRecursive: true,
    },
  ];
}

function propagationOf(text: string): Extract<ContainerMount, { kind: 'bind' }>['propagation'] {
  switch (text) {
    case 'private':
    case 'slave':
    case 'rslave':
    case 'shared':
    case 'rshared':
      return text;
    default:
      return 'rprivate';
  }
}

/** `-v` makes a missing folder on the host, as docker does; anything else that is wrong with a source is found here, before crun does. */
export function makeBindSources(spec: ContainerSpec): void {
  for (const mount of spec.mounts) {
    if (mount.kind !== 'bind') continue;
    try {
      if (lstatSync(mount.source, { throwIfNoEntry: false }) === undefined)
        mkdirSync(mount.source, { recursive: true });
      else statSync(mount.source);
    } catch (error) {
      throw invalid(`invalid mount config for type "bind": bind source path does not exist: ${mount.source}`, {
        cause: error,
      });
    }
  }
}

/** `--security-opt`, word by word (source: docker run reference). */
export function securitySettings(spec: ContainerSpec): SecuritySettings {
  let settings: SecuritySettings = {
    ...defaultSecurity,
    isPrivileged: spec.isPrivileged,
    addedCapabilities: spec.addedCapabilities,
    droppedCapabilities: spec.droppedCapabilities,
  };
  for (const option of spec.securityOptions) settings = withOption(settings, option);
  return settings;
}

function withOption(settings: SecuritySettings, option: string): SecuritySettings {
  const [, key = option, value = ''] = /^([^=:]+)[=:]([\s\S]*)$/.exec(option) ?? [];
  switch (key) {
    case 'no-new-privileges':
      if (!['', 'true', 'false'].includes(value)) throw invalid(`invalid --security-opt: "${option}"`);
      return { ...settings, mayGainPrivileges: value === 'false' };
    case 'seccomp':
      if (value === 'unconfined') return { ...settings, seccomp: 'unconfined' };
      if (value === 'builtin') return { ...settings, seccomp: 'default' };
      return { ...settings, seccomp: { profile: seccompProfile(value) } };
    case 'systempaths':
      if (value !== 'unconfined') throw invalid(`invalid --security-opt: "${option}"`);
      return { ...settings, maskedPaths: [], readonlyPaths: [] };
    case 'apparmor':
      if (value === 'unconfined') return settings;
      throw new EngineError(
        'not-implemented',
        '--security-opt apparmor is not there yet in this version of the Skiff engine',
      );
    case 'label':
      if (value === 'disable') return settings;
      throw new EngineError(
        'not-implemented',
        '--security-opt label is not there yet in this version of the Skiff engine',
      );
    default:
      throw invalid(`invalid --security-opt: "${option}"`);
  }
}

function seccompProfile(text: string): SeccompProfile {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw invalid(`Decoding seccomp profile failed: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  if (
    typeof parsed !== 'object' ||
    parsed === null ||
    !('defaultAction' in parsed) ||
    typeof parsed.defaultAction !== 'string'
  ) {
    throw invalid('Decoding seccomp profile failed: it names no defaultAction');
  }
  const { syscalls = [] } = parsed as { syscalls?: unknown };
  if (!Array.isArray(syscalls)) throw invalid('Decoding seccomp profile failed: syscalls is no list');
  return { ...(parsed as SeccompProfile), syscalls: syscalls as SeccompProfile['syscalls'] };
}
