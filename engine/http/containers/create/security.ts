/** Privileges, namespaces, devices, kernel settings. */
import type { CreateRequest } from '../../../containers/spec/create-request.ts';
import type { NamespaceShare, NamespaceSpec } from '../../../containers/spec/spec.ts';
import { invalid } from '../../../model/errors.ts';
import type { ContainerId } from '../../../model/ids.ts';
import { defaultMaskedPaths, defaultReadonlyPaths } from '../../../runtime/system-paths.ts';
import { normalizeCapability } from '../../../runtime/capabilities.ts';
import { defaultSecurity } from '../../../runtime/container-settings.ts';
import { withSecurityOption } from '../../../runtime/security-options.ts';
import type { Fields } from '../../fields.ts';
import { readDeviceRequests, readDevices } from './devices.ts';

type SecurityRequest = Pick<
  CreateRequest,
  | 'isPrivileged'
  | 'isRootReadOnly'
  | 'hasInit'
  | 'namespaces'
  | 'addedCapabilities'
  | 'droppedCapabilities'
  | 'securityOptions'
  | 'maskedPaths'
  | 'readonlyPaths'
  | 'devices'
  | 'deviceRules'
  | 'deviceRequests'
  | 'sysctls'
>;

/** Finds a container by id, name or start of its id; null when there is none. */
export type FindContainer = (reference: string) => ContainerId | null;

export function readSecurity(config: Fields, host: Fields, find: FindContainer): SecurityRequest {
  // Applied at each start; here for what is wrong with them.
  host.texts('SecurityOpt').reduce(withSecurityOption, defaultSecurity);
  const isolation = host.text('Isolation');
  if (!['', 'default'].includes(isolation))
    throw invalid(`invalid isolation (${isolation}): linux only supports 'default'`);
  const capabilities = (name: string): readonly string[] =>
    host.texts(name).map((capability) => normalizeCapability(name, capability));
  return {
    isPrivileged: host.flag('Privileged'),
    isRootReadOnly: host.flag('ReadonlyRootfs'),
    hasInit: host.flagOrNull('Init'),
    namespaces: readNamespaces(config, host, find),
    addedCapabilities: capabilities('CapAdd'),
    droppedCapabilities: capabilities('CapDrop'),
    securityOptions: host.texts('SecurityOpt'),
    maskedPaths: pathsOf(host, 'MaskedPaths', defaultMaskedPaths),
    readonlyPaths: pathsOf(host, 'ReadonlyPaths', defaultReadonlyPaths),
    devices: readDevices(host),
    deviceRules: host.texts('DeviceCgroupRules'),
    deviceRequests: readDeviceRequests(host),
    sysctls: readSysctls(host),
  };
}

/** Null: the defaults. A create with what an inspect has shown of them gets all that goes with them; for a privileged container they are none. */
function pathsOf(host: Fields, name: string, usual: readonly string[]): readonly string[] | null {
  const given = host.textsOrNull(name);
  if (given === null || host.flag('Privileged')) return given;
  const isUsual = given.length === usual.length && usual.every((entry) => given.includes(entry));
  return isUsual ? null : given;
}

function readNamespaces(config: Fields, host: Fields, find: FindContainer): NamespaceSpec {
  const uts = host.text('UTSMode');
  if (!['', 'host'].includes(uts)) throw invalid(`invalid UTS mode: ${uts}`);
  if (uts === 'host' && config.text('Hostname') !== '') throw invalid('conflicting options: hostname and the UTS mode');
  const cgroup = host.text('CgroupnsMode');
  if (cgroup !== '' && cgroup !== 'private' && cgroup !== 'host')
    throw invalid(`invalid cgroup namespace mode: ${cgroup}`);
  const user = host.text('UsernsMode');
  if (!['', 'host'].includes(user))
    throw invalid(`invalid USER mode: ${user}: this engine has no mapping of users, so there is none but the host's`);
  return {
    pid: readPid(host.text('PidMode'), find),
    ipc: readIpc(host.text('IpcMode'), find),
    uts: uts === 'host' ? 'host' : 'private',
    cgroup: cgroup === '' ? null : cgroup,
    user: user === 'host' ? 'host' : 'default',
  };
}

function readPid(mode: string, find: FindContainer): NamespaceShare {
  if (mode === '') return 'private';
  if (mode === 'host') return mode;
  return joined(mode, find) ?? refuse(`invalid PID mode: ${mode}`);
}

function readIpc(mode: string, find: FindContainer): NamespaceSpec['ipc'] {
  if (mode === '') return 'private';
  if (mode === 'private' || mode === 'shareable' || mode === 'host' || mode === 'none') return mode;
  return joined(mode, find) ?? refuse(`invalid IPC mode: ${mode}`);
}

/** `container:web`. Null when it is nothing of that form. */
function joined(mode: string, find: FindContainer): { readonly container: ContainerId } | null {
  const reference = /^container:(.+)$/.exec(mode)?.[1];
  if (reference === undefined) return null;
  const container = find(reference);
  return container === null ? refuse(`No such container: ${reference}`) : { container };
}

function refuse(message: string): never {
  throw invalid(message);
}

function readSysctls(host: Fields): Readonly<Record<string, string>> {
  const sysctls = host.textMap('Sysctls');
  for (const name of Object.keys(sysctls)) {
    if (!/^net[./](ipv4|ipv6|mpls)[./](conf|neigh)[./]eth\d+[./]/.test(name)) continue;
    throw invalid(
      `interface specific sysctl setting "${name}" must be supplied using driver option 'com.docker.network.endpoint.sysctls'`,
    );
  }
  return sysctls;
}
