/** From a container's settings to the OCI runtime spec that crun runs, with Docker's defaults. Pure. */
import { invalid } from '../model/errors.ts';
import { chooseCapabilities } from './capabilities.ts';
import type { ContainerSettings, HostFacts, NamespaceSource, Rlimit } from './container-settings.ts';
import { specMounts } from './mounts.ts';
import type { RuntimeSpec, SpecLinux, SpecProcess } from './oci.ts';
import { specDevices, specResources } from './resources.ts';
import { defaultSeccompProfile } from './seccomp-profile.ts';
import { resolveSeccomp } from './seccomp.ts';
import { sysctlsOf } from './sysctls.ts';
import { defaultMaskedPaths, defaultReadonlyPaths, thermalPaths } from './system-paths.ts';

export function buildSpec(settings: ContainerSettings, host: HostFacts): RuntimeSpec {
  const { security } = settings;
  const capabilities = chooseCapabilities({
    isPrivileged: security.isPrivileged,
    added: security.addedCapabilities,
    dropped: security.droppedCapabilities,
    available: host.capabilities,
  });
  return {
    ociVersion: '1.0.2',
    process: specProcess(settings, host, capabilities),
    root: { path: settings.rootfs, readonly: settings.isRootReadOnly },
    ...(settings.namespaces.uts === 'private' ? { hostname: settings.hostname } : {}),
    ...(settings.namespaces.uts === 'private' && settings.domainname !== '' ? { domainname: settings.domainname } : {}),
    mounts: specMounts(settings, host),
    ...(Object.keys(settings.annotations).length === 0 ? {} : { annotations: settings.annotations }),
    linux: specLinux(settings, host, capabilities),
  };
}

function specProcess(settings: ContainerSettings, host: HostFacts, capabilities: readonly string[]): SpecProcess {
  const { user, terminal, security } = settings;
  // As execve does it for a user that is not root: its programs have none, but setuid ones can have them.
  const held = user.uid === 0 ? capabilities : [];
  const size = terminal?.size ?? null;
  return {
    terminal: terminal !== null,
    ...(size === null ? {} : { consoleSize: { height: size.rows, width: size.columns } }),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    args: settings.args,
    env: settings.env,
    cwd: settings.workingDir,
    // Never inheritable: a program with capabilities of its own would hand them on (CVE-2022-24769).
    capabilities: { bounding: capabilities, effective: held, permitted: held },
    rlimits: specRlimits(settings.rlimits, host.maxOpenFiles),
    noNewPrivileges: !security.mayGainPrivileges,
    ...(security.apparmorProfile === null || !host.hasAppArmor ? {} : { apparmorProfile: security.apparmorProfile }),
    // Set even when it is 0: the monitor, which starts the container, has a better one.
    oomScoreAdj: settings.oomScoreAdjust ?? 0,
  };
}

/** What select(2) bears, so that old programs work; a program that wants more raises its own limit. */
const softOpenFiles = 1024;
const hardOpenFiles = 524_288;
const rlimitNames =
  'AS CORE CPU DATA FSIZE LOCKS MEMLOCK MSGQUEUE NICE NOFILE NPROC RSS RTPRIO RTTIME SIGPENDING STACK'.split(' ');

function specRlimits(given: readonly Rlimit[], maxOpenFiles: number): SpecProcess['rlimits'] {
  const limits = given.map(({ name, soft, hard }) => {
    const short = name.toUpperCase();
    if (!rlimitNames.includes(short)) throw invalid(`wrong rlimit value: RLIMIT_${name.toUpperCase()}`);
    if (hard !== -1 && (soft === -1 || soft > hard))
      throw invalid(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
    return { type: `RLIMIT_${short}`, soft: unlimitedIfNegative(soft), hard: unlimitedIfNegative(hard) };
  });
  if (limits.some(({ type }) => type === 'RLIMIT_NOFILE')) return limits;
  const hard = Math.min(hardOpenFiles, maxOpenFiles);
  return [{ type: 'RLIMIT_NOFILE', soft: Math.min(softOpenFiles, hard), hard }, ...limits];
}

/** RLIM_INFINITY is 2^64-1, which no double is: this is the largest one below it. */
const largestLimit = 2 ** 64 - 2048;

function unlimitedIfNegative(limit: number): number {
  return limit < 0 ? largestLimit : limit;
}

function specLinux(settings: ContainerSettings, host: HostFacts, capabilities: readonly string[]): SpecLinux {
  const { security, namespaces } = settings;
  const propagation = rootPropagation(settings);
  const masked = [...defaultMaskedPaths, ...thermalPaths(host.cpuCount)];
  const sysctl = sysctlsOf(settings.sysctls, namespaces);
  return {
    namespaces: [
      { type: 'mount' },
      ...namespace('network', namespaces.network),
      ...namespace('pid', namespaces.pid),
      ...namespace('ipc', namespaces.ipc),
      ...namespace('uts', namespaces.uts),
      ...namespace('cgroup', namespaces.cgroup),
    ],
    cgroupsPath: settings.cgroup,
    resources: specResources(settings, host),
    devices: specDevices(settings, host),
    ...(Object.keys(sysctl).length === 0 ? {} : { sysctl }),
    maskedPaths: security.maskedPaths ?? (security.isPrivileged ? [] : masked),
    readonlyPaths: security.readonlyPaths ?? (security.isPrivileged ? [] : defaultReadonlyPaths),
    ...(propagation === null ? {} : { rootfsPropagation: propagation }),
    ...seccompOf(settings, host, capabilities),
  };
}

function namespace(type: string, source: NamespaceSource): SpecLinux['namespaces'] {
  if (source === 'host') return [];
  if (source === 'private') return [{ type }];
  return [{ type, path: 'path' in source ? source.path : source.joined }];
}

/** A shared or slave mount needs a root that lets events through. */
function rootPropagation({ mounts }: ContainerSettings): string | null {
  const wanted = mounts.map((mount) => (mount.kind === 'bind' ? mount.propagation : 'private'));
  if (wanted.some((propagation) => propagation.endsWith('shared'))) return 'rshared';
  if (wanted.some((propagation) => propagation.endsWith('slave'))) return 'rslave';
  return null;
}

function seccompOf(
  { security }: ContainerSettings,
  host: HostFacts,
  capabilities: readonly string[],
): Pick<SpecLinux, 'seccomp'> {
  if (!host.hasSeccomp || security.seccomp === 'unconfined') return {};
  if (security.isPrivileged && security.seccomp === 'default') return {};
  const profile = security.seccomp === 'default' ? defaultSeccompProfile : security.seccomp.profile;
  return { seccomp: resolveSeccomp(profile, capabilities, host) };
}
