/**
 * Whose processes, queues and shared memory a container sees: its own, the host's, or those of another container. What is
 * shared lives as long as anybody uses it; only a start needs the other container to run.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { mountFileSystem } from '../../kernel/cgroup-mount.ts';
import { unmount } from '../../kernel/mount.ts';
import { conflict, invalid } from '../../model/errors.ts';
import type { ContainerId } from '../../model/ids.ts';
import type { ContainerSettings, NamespaceSource } from '../../runtime/container-settings.ts';
import type { Container } from '../container.ts';
import type { Directory } from '../directory.ts';
import { liveState } from '../state.ts';

export interface JoinedNamespaces {
  readonly pid: NamespaceSource;
  readonly ipc: NamespaceSource;
  readonly sharedMemory: ContainerSettings['sharedMemory'];
}

/** `rootFolder`: of this container, where what it shares is mounted. Throws `conflict` when the other one does not run, `invalid` when it does not share. */
export function joinedNamespaces(directory: Directory, container: Container, rootFolder: string): JoinedNamespaces {
  const { pid, ipc } = container.spec.namespaces;
  return { pid: pidNamespace(directory, pid), ...ipcOf(directory, container, { ipc, rootFolder }) };
}

function pidNamespace(directory: Directory, share: Container['spec']['namespaces']['pid']): NamespaceSource {
  if (typeof share === 'string') return share;
  return { joined: `/proc/${pidOf(directory, share.container, 'PID')}/ns/pid` };
}

function ipcOf(
  directory: Directory,
  container: Container,
  own: { readonly ipc: Container['spec']['namespaces']['ipc']; readonly rootFolder: string },
): Pick<JoinedNamespaces, 'ipc' | 'sharedMemory'> {
  const { ipc, rootFolder } = own;
  if (ipc === 'host') return { ipc, sharedMemory: { folder: '/dev/shm' } };
  if (ipc === 'none') return { ipc: 'private', sharedMemory: 'none' };
  if (ipc === 'private') return { ipc, sharedMemory: null };
  if (ipc === 'shareable') {
    return { ipc: 'private', sharedMemory: { folder: mountSharedMemory(rootFolder, container.spec.shmSizeBytes) } };
  }
  const pid = pidOf(directory, ipc.container, 'IPC');
  return {
    ipc: { joined: `/proc/${pid}/ns/ipc` },
    sharedMemory: { folder: sharedFolder(directory, ipc.container, path.dirname(rootFolder)) },
  };
}

function pidOf(directory: Directory, id: ContainerId, what: 'PID' | 'IPC'): number {
  const other = directory.byId(id);
  const fail = (why: string): Error => conflict(`failed to join ${what} namespace: ${why}`);
  if (other === undefined) throw fail(`No such container: ${id}`);
  if (other.state.status === 'restarting')
    throw fail(`container ${id} is restarting, wait until the container is running`);
  const live = liveState(other.state);
  // Its end may not be known here yet, and its number already be another's.
  if (live === null || !isProcessOf(live.pid, id)) throw fail(`container ${id} is not running`);
  return live.pid;
}

/** Its cgroup ends in the container's id, wherever it lies. */
function isProcessOf(pid: number, id: ContainerId): boolean {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'latin1')
      .split('\n')
      .some((line) => line.endsWith(`/${id}`));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || (error as NodeJS.ErrnoException).code === 'ESRCH')
      return false;
    throw error;
  }
}

/** What the other one shares may itself be another's. */
function sharedFolder(directory: Directory, id: ContainerId, roots: string): string {
  const ipc = directory.byId(id)?.spec.namespaces.ipc ?? 'private';
  if (typeof ipc === 'object') return sharedFolder(directory, ipc.container, roots);
  if (ipc === 'host') return '/dev/shm';
  if (ipc === 'shareable') return sharedMemoryPath(path.join(roots, id));
  throw invalid(
    `failed to join IPC namespace: container ${id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
  );
}

function sharedMemoryPath(rootFolder: string): string {
  return path.join(rootFolder, 'shm');
}

/** On the host, since a container's own mounts cannot be seen from another's. */
function mountSharedMemory(rootFolder: string, sizeBytes: number): string {
  const target = sharedMemoryPath(rootFolder);
  unmountSharedMemory(rootFolder);
  mkdirSync(target, { recursive: true, mode: 0o700 });
  mountFileSystem({ type: 'tmpfs', source: 'shm', target, options: `mode=1777,size=${sizeBytes}` });
  return target;
}

/** Does nothing when it is not mounted. Those who still use it keep it. */
export function unmountSharedMemory(rootFolder: string): void {
  try {
    unmount(sharedMemoryPath(rootFolder), { isDetached: true });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'EINVAL' && code !== 'ENOENT') throw error;
  }
}
