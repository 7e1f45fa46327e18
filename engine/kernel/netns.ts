/**
 * Network namespaces without tools. A namespace lives while a process is in it, a descriptor of it is open, or a file is
 * bound to it; `pinNamespace` does the last, so that a namespace outlives the engine.
 *
 * A thread enters a namespace and comes back within one synchronous call: nothing else of this process runs meanwhile on
 * that thread, and the others never leave the host.
 */
import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { SystemCallError, systemCall } from './libc.ts';
import { bindMount, unmount } from './mount.ts';

const unshare = systemCall<[number]>('int unshare(int flags)');
const setns = systemCall<[number, number]>('int setns(int fd, int type)');

const networkNamespace = 0x40000000;

/** An open namespace; it lives at least until this is disposed. */
export interface NetworkNamespace extends Disposable {
  readonly fd: number;
  /** Runs `work` inside and returns to where it was, whatever happens. `work` must not be async. */
  enter<T>(work: () => T extends PromiseLike<unknown> ? never : T): T;
}

/** A new namespace. lo is down. */
export function makeNamespace(): NetworkNamespace {
  return withWayBack(() => {
    unshare('a network namespace', networkNamespace);
    return handleOf(openSync('/proc/thread-self/ns/net', 'r'));
  });
}

/** Throws ENOENT when there is no such file, EINVAL at `enter` when it is no namespace. */
export function openNamespace(path: string): NetworkNamespace {
  return handleOf(openSync(path, 'r'));
}

/** Binds the namespace to a file at `path`, which is made with its folder. Throws EEXIST when there is one. */
export function pinNamespace(namespace: NetworkNamespace, path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  closeSync(openSync(path, 'wx', 0o444));
  try {
    bindMount({ source: `/proc/self/fd/${namespace.fd}`, target: path });
  } catch (error) {
    rmSync(path);
    throw error;
  }
}

/** Undoes a pin, as far as it came; does nothing when there is none. */
export function unpinNamespace(path: string): void {
  try {
    // Again and again: a crash may have left a second mount on top of the first.
    for (;;) unmount(path, { isDetached: true });
  } catch (error) {
    if (!(error instanceof SystemCallError) || !['EINVAL', 'ENOENT'].includes(error.code)) throw error;
  }
  rmSync(path, { force: true });
}

function handleOf(descriptor: number): NetworkNamespace {
  let fd = descriptor;
  return {
    get fd() {
      return fd;
    },
    enter(work) {
      return withWayBack(() => {
        setns('a network namespace', fd, networkNamespace);
        return work();
      });
    },
    [Symbol.dispose]() {
      if (fd === -1) return;
      closeSync(fd);
      fd = -1;
    },
  };
}

function withWayBack<T>(away: () => T): T {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  try {
    return away();
  } finally {
    try {
      setns('back', home, networkNamespace);
    } catch {
      // Going on would serve the API from inside a container's network.
      process.abort();
    }
    closeSync(home);
  }
}
