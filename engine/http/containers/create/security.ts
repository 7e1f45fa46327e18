/** Privileges, namespaces, devices, kernel settings. */
import type { CreateRequest } from '../../../containers/create-request.ts';
import type { Fields } from '../../fields.ts';

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
  | 'sysctls'
>;

export function readSecurity(host: Fields): SecurityRequest {
  return {
    isPrivileged: host.flag('Privileged'),
    isRootReadOnly: host.flag('ReadonlyRootfs'),
    hasInit: null,
    namespaces: { pid: 'private', ipc: 'private', uts: 'private', cgroup: null, user: 'default' },
    addedCapabilities: host.texts('CapAdd'),
    droppedCapabilities: host.texts('CapDrop'),
    securityOptions: host.texts('SecurityOpt'),
    maskedPaths: null,
    readonlyPaths: null,
    devices: [],
    deviceRules: [],
    sysctls: {},
  };
}
