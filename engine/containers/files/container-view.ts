/** A container's files as it sees them itself, for cp: its root, volumes, binds, and the files of /etc that the engine writes. */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { conflict } from '../../model/errors.ts';
import type { View, ViewMount } from '../../trees/trees.ts';
import type { Container } from '../container.ts';
import { networkFilePaths } from '../network/network-files.ts';
import type { Parts } from '../parts.ts';

export interface HeldView extends Disposable {
  readonly view: View;
}

/** Running or not; everything stays mounted until it is disposed. What is mounted for one run alone (tmpfs, proc) is not in it. */
export async function holdView(parts: Parts, container: Container): Promise<HeldView> {
  const { id, spec, state } = container;
  if (state.status === 'removing' || state.status === 'dead') throw conflict(`container ${id} is marked for removal`);
  const holder = `view:${randomUUID()}`;
  const held = parts.roots.hold(id);
  const release = (): void => {
    parts.volumes.letGo(holder);
    held[Symbol.dispose]();
  };
  try {
    const mounts: ViewMount[] = [];
    for (const mount of spec.mounts) {
      const { target } = mount;
      if (mount.kind === 'volume') {
        const source = await parts.volumes.hold(mount.name, holder);
        mounts.push({ source, subpath: mount.subpath, target, isReadOnly: mount.isReadOnly, isRecursive: true });
      } else if (mount.kind === 'bind' && parts.shares.isShared(mount.source)) {
        const { path: source, isReadOnly } = await parts.shares.find(mount.source, 'fail');
        mounts.push({ source, subpath: '', target, isReadOnly: isReadOnly || mount.isReadOnly, isRecursive: true });
      } else if (mount.kind === 'bind' && existsSync(mount.source)) {
        const { source, isReadOnly, isRecursive } = mount;
        mounts.push({ source, subpath: '', target, isReadOnly, isRecursive });
      }
    }
    const taken = new Set(mounts.map(({ target }) => target));
    const own = etcMounts(held.root.folder).filter(({ target }) => !taken.has(target));
    return {
      view: { root: held.root.merged, isRootReadOnly: spec.isRootReadOnly, mounts: [...mounts, ...own] },
      [Symbol.dispose]: release,
    };
  } catch (error) {
    release();
    throw error;
  }
}

/** Written at the first start. */
function etcMounts(folder: string): readonly ViewMount[] {
  const files = networkFilePaths(folder);
  return (
    [
      ['/etc/hosts', files.hosts],
      ['/etc/hostname', files.hostname],
      ['/etc/resolv.conf', files.resolvConf],
    ] as const
  )
    .filter(([, source]) => existsSync(source))
    .map(([target, source]) => ({ source, subpath: '', target, isReadOnly: false, isRecursive: false }));
}
