/** A container's tree as it sees it itself: its root with its volumes and binds over it, and nothing of the host. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { heldDirectory, isCode, oPath, openAt, openBeneath, openInRoot } from '../kernel/files.ts';
import { enterMountView, mountOnto } from '../kernel/mount-view.ts';
import { invalid } from '../model/errors.ts';
import { openOrMakeDirectory, partsOf } from './inside-path.ts';
import type { View, ViewMount } from './trees.ts';

export interface OpenView extends Disposable {
  /** The root, open. */
  readonly root: number;
  /** Throws `invalid` when what is open may not be written to by this container. */
  assertWritable(directory: number): void;
}

/**
 * Mounts are made in a namespace that ends with the view. The place of each is opened once and mounted onto as it is: what
 * a container exchanges meanwhile is not looked at again.
 */
export function openView(view: View): OpenView {
  const stack = new DisposableStack();
  try {
    if (view.mounts.length > 0) stack.use(enterMountView());
    const root = stack.use(heldDirectory(openSync(view.root, constants.O_DIRECTORY))).fd;
    const rootMount = mountIdOf(root);
    const isReadOnly = new Map<number, boolean>();
    for (const mount of view.mounts) isReadOnly.set(put(root, mount), mount.isReadOnly);
    const opened = stack.move();
    return {
      root,
      assertWritable(directory) {
        const id = mountIdOf(directory);
        if (isReadOnly.get(id) === true) throw invalid('mounted volume is marked read-only');
        if (id === rootMount && view.isRootReadOnly) throw invalid('container rootfs is marked read-only');
      },
      [Symbol.dispose]: () => opened.dispose(),
    };
  } catch (error) {
    stack.dispose();
    throw error;
  }
}

/** Returns the id of the mount. */
function put(root: number, mount: ViewMount): number {
  const source = openSource(mount);
  try {
    const isDirectory = fstatSync(source.fd).isDirectory();
    const parts = partsOf(Buffer.from(mount.target).toString('latin1'));
    const target = isDirectory ? openOrMakeDirectory(root, parts) : openOrMakeFile(root, parts);
    try {
      mountOnto(target, {
        source: mount.subpath === '' ? mount.source : `/proc/self/fd/${source.fd}`,
        isReadOnly: mount.isReadOnly,
        isRecursive: mount.isRecursive,
      });
    } finally {
      closeSync(target);
    }
    const mounted = openInRoot(root, parts.join('/') || '.', oPath);
    try {
      return mountIdOf(mounted);
    } finally {
      closeSync(mounted);
    }
  } finally {
    closeSync(source.fd);
  }
}

function openSource({ source, subpath }: ViewMount): { readonly fd: number } {
  const fd = openSync(source, oPath);
  if (subpath === '') return { fd };
  try {
    return { fd: openBeneath(fd, partsOf(Buffer.from(subpath).toString('latin1')).join('/') || '.', oPath) };
  } finally {
    closeSync(fd);
  }
}

function openOrMakeFile(root: number, parts: readonly string[]): number {
  try {
    return openInRoot(root, parts.join('/'), oPath);
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error;
  }
  const directory = openOrMakeDirectory(root, parts.slice(0, -1));
  try {
    return openAt(directory, parts.at(-1) ?? '.', constants.O_CREAT | constants.O_RDONLY, 0o644);
  } finally {
    closeSync(directory);
  }
}

/** Source: proc_pid_fdinfo(5). */
function mountIdOf(fd: number): number {
  const text = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
  return Number(/^mnt_id:\s*(\d+)$/m.exec(text)?.[1] ?? -1);
}
