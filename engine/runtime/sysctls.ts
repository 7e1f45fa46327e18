/** Kernel settings of a container: only those that lie in a namespace of its own are its to set. */
import { invalid } from '../model/errors.ts';
import type { NamespaceChoice, NamespaceSource } from './container-settings.ts';

/** Source: ipc_namespaces(7). */
const ofIpc = new Set(
  'msgmax msgmnb msgmni sem shmall shmmax shmmni shm_rmid_forced'.split(' ').map((name) => `kernel.${name}`),
);

/** Ports below 1024 and ping are no privileges in a network of one's own. */
const ofOwnNetwork: Readonly<Record<string, string>> = {
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': '0 2147483647',
};

/** With the engine's defaults. Throws `invalid` in runc's words for one that would be another's. */
export function sysctlsOf(
  given: Readonly<Record<string, string>>,
  namespaces: NamespaceChoice,
): Readonly<Record<string, string>> {
  for (const name of Object.keys(given)) assertOwn(name, namespaces);
  const defaults = isOwn(namespaces.network) ? ofOwnNetwork : {};
  return { ...defaults, ...given };
}

function assertOwn(given: string, namespaces: NamespaceChoice): void {
  const shown = JSON.stringify(given);
  // `net/ipv4/…`: as long as the first separator is a slash, dots are part of names.
  const name = /^[^./]*\//.test(given) ? given.replaceAll('.', ' ').replaceAll('/', '.') : given;
  if (ofIpc.has(name) || name.startsWith('fs.mqueue.')) {
    if (namespaces.ipc === 'host') throw invalid(`sysctl ${shown} is not allowed in the hosts ipc namespace`);
  } else if (name.startsWith('net.')) {
    if (namespaces.network === 'host') throw invalid(`sysctl ${shown} not allowed in host network namespace`);
  } else if (name === 'kernel.domainname') {
    if (namespaces.uts === 'host') throw invalid(`sysctl ${shown} is not allowed in the hosts UTS namespace`);
  } else if (name === 'kernel.hostname') {
    throw invalid(`sysctl ${shown} is not allowed as it conflicts with the OCI "hostname" field`);
  } else throw invalid(`sysctl ${shown} is not in a separate kernel namespace`);
}

function isOwn(source: NamespaceSource): boolean {
  return source === 'private' || (source !== 'host' && 'path' in source);
}
