/**
 * A mount namespace for one piece of work: what is mounted in it nobody else sees, and it is gone with the work, also when
 * the process is killed in the middle. Only for a process whose file calls are made on its main thread (a worker): the
 * other threads of the process stay where they were, and must all have been started before.
 */
import { closeSync, openSync } from 'node:fs';
import { systemCall } from './libc.ts';

const unshare = systemCall<[number]>('int unshare(int flags)');
const setns = systemCall<[number, number]>('int setns(int fd, int type)');
const mountCall = systemCall<[null, string, null, number, null]>(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
);
const openTree = systemCall<[number, number, string, number]>(
  'long syscall(long number, int dirfd, const char *path, unsigned int flags)',
);
const setMountAttributes = systemCall<[number, number, string, number, BigUint64Array, bigint]>(
  'long syscall(long number, int dirfd, const char *path, unsigned int flags, const void *attributes, size_t size)',
);
const moveMount = systemCall<[number, string, number, string, number]>(
  'int move_mount(int from, const char *fromPath, int to, const char *toPath, unsigned int flags)',
);

const mountNamespace = 0x20000;
const recursive = 0x4000;
const slave = 0x80000;
const emptyPath = 0x1000;
const atRecursive = 0x8000;
const openTreeClone = 1;
const closeOnExec = 0o2000000;
const atCwd = -100;
const openTreeNumber = 428; // the same on x86-64 and arm64, as are all calls of that time
const mountSetattrNumber = 442;
const readOnlyAttribute = 1n;
const fromAndToDescriptors = 0x4 | 0x40;

/** Enters a namespace of its own; disposing returns. What is unmounted on the host meanwhile is unmounted in it too. */
export function enterMountView(): Disposable {
  const home = openSync('/proc/thread-self/ns/mnt', 'r');
  try {
    unshare('a mount namespace', mountNamespace);
    mountCall('mounts of its own', null, '/', null, recursive | slave, null);
  } catch (error) {
    closeSync(home);
    throw error;
  }
  return {
    [Symbol.dispose]() {
      try {
        setns('back', home, mountNamespace);
      } catch {
        // Going on would work on the mounts of the last job.
        process.abort();
      }
      closeSync(home);
    },
  };
}

/**
 * Mounts `source` (a trusted path) over what `target` is: an open descriptor, so that it does not matter what its path
 * leads to by now.
 */
export function mountOnto(
  target: number,
  what: { readonly source: string; readonly isReadOnly: boolean; readonly isRecursive: boolean },
): void {
  const { source, isReadOnly, isRecursive } = what;
  const deep = isRecursive ? atRecursive : 0;
  const tree = openTree(source, openTreeNumber, atCwd, source, openTreeClone | closeOnExec | deep);
  try {
    if (isReadOnly) {
      const attributes = new BigUint64Array([readOnlyAttribute, 0n, 0n, 0n]);
      setMountAttributes(source, mountSetattrNumber, tree, '', emptyPath | deep, attributes, 32n);
    }
    moveMount(`${source} into the view`, tree, '', target, '', fromAndToDescriptors);
  } finally {
    closeSync(tree);
  }
}
