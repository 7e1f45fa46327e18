/** A container's mounts while it runs: volumes held, parts of them and images mounted where the OCI runtime finds them. */
import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { isCode, oPath, openBeneath } from '../../kernel/files.ts';
import { bindMount, mountLayers, unmount } from '../../kernel/mount.ts';
import { type MountEntry, readMounts } from '../../kernel/mount-table.ts';
import { invalid, notFound } from '../../model/errors.ts';
import { isInside, makeDirectoryInside, makeFileInside, type Root } from '../../rootfs/rootfs.ts';
import type { ContainerMount } from '../../runtime/container-settings.ts';
import type { Container } from '../container.ts';
import type { Parts } from '../parts.ts';
import type { SharedSources } from './bind-sources.ts';
import { holdsData } from './resolve-mounts.ts';
import type { MountSpec } from '../spec/spec.ts';
import { publishVolumesUnmounted } from './volume-events.ts';

/** What the OCI spec is to mount. `releaseMounts` undoes it, also when it throws. */
export async function prepareMounts(parts: Parts, of: MountsOf): Promise<readonly ContainerMount[]> {
  const { container, root, shared } = of;
  const prepared: ContainerMount[] = [];
  for (const mount of container.spec.mounts) prepared.push(await prepare(parts, { ...of, mount }));
  // A file of the user's computer is not looked at here: its answer would come through this process.
  const kinds = new Map([...shared.values()].map(({ path, isDirectory }) => [path, isDirectory]));
  for (const mount of prepared) makeMountPoint(root, mount, { all: prepared, kinds });
  return prepared;
}

/** crun would make it with a mode of its own (01700), and it stays in the container. What lies in another mount is crun's to make: it is not there yet. */
function makeMountPoint(
  { merged }: Root,
  mount: ContainerMount,
  among: { readonly all: readonly ContainerMount[]; readonly kinds: ReadonlyMap<string, boolean> },
): void {
  const { target } = mount;
  const { all, kinds } = among;
  if (all.some((other) => target.startsWith(`${other.target}/`)) || /^\/(proc|sys|dev)(\/|$)/.test(target)) return;
  if (isInside(merged, target)) return;
  if (mount.kind === 'tmpfs' || (kinds.get(mount.source) ?? statSync(mount.source).isDirectory()))
    makeDirectoryInside(merged, target);
  else makeFileInside(merged, target);
}

/** The other end of `prepareMounts`. Does nothing when there is nothing. */
export function releaseMounts(parts: Parts, container: Container): void {
  unmountParts(parts.roots.folderOf(container.id));
  parts.shares.letGo(container.id);
  publishVolumesUnmounted(parts, container, parts.volumes.letGo(container.id));
}

/** Where something that is mounted for one target of a container stands. */
export function mountFolder(rootFolder: string, target: string): string {
  return path.join(rootFolder, 'mounts', createHash('sha256').update(target).digest('hex').slice(0, 16));
}

interface MountsOf {
  readonly container: Container;
  readonly root: Root;
  readonly shared: SharedSources;
}

async function prepare(parts: Parts, what: MountsOf & { readonly mount: MountSpec }): Promise<ContainerMount> {
  const { container, root, shared, mount } = what;
  switch (mount.kind) {
    case 'tmpfs':
      return { kind: 'tmpfs', target: mount.target, options: mount.options === '' ? [] : mount.options.split(',') };
    case 'bind': {
      const found = shared.get(mount.source);
      if (found !== undefined) {
        const { path: source, isReadOnly, isDirectory } = found;
        const asked = { ...mount, isReadOnly: mount.isReadOnly || isReadOnly };
        const access = accessOf(asked, { kernel: parts.host.kernel, isDirectory });
        return { kind: 'bind', source, target: mount.target, access, propagation: 'rprivate', isRecursive: true };
      }
      return {
        kind: 'bind',
        source: mount.source,
        target: mount.target,
        access: accessOf(mount, { kernel: parts.host.kernel, isDirectory: statSync(mount.source).isDirectory() }),
        propagation: propagationOf(checkedPropagation(mount, parts.dataRoot)),
        isRecursive: mount.isRecursive,
      };
    }
    case 'volume': {
      const folder = await parts.volumes.hold(mount.name, container.id);
      const source =
        mount.subpath === '' ? folder : mountSubpath(root, mount.target, { folder, subpath: mount.subpath });
      return readBind(source, mount.target, mount.isReadOnly ? 'read-only-recursive' : 'read-write');
    }
    case 'image': {
      const target = mountFolder(root.folder, mount.target);
      mkdirSync(target, { recursive: true, mode: 0o700 });
      mountLayers(parts.roots.imageLayers(container.id, mount.target), target);
      const source =
        mount.subpath === ''
          ? target
          : mountSubpath(root, `${mount.target}\0`, { folder: target, subpath: mount.subpath });
      return readBind(source, mount.target, 'read-only');
    }
  }
}

function readBind(
  source: string,
  target: string,
  access: Extract<ContainerMount, { kind: 'bind' }>['access'],
): ContainerMount {
  return { kind: 'bind', source, target, access, propagation: 'rprivate', isRecursive: true };
}

/** `kernel`: what is mounted below can be made read-only since 5.12. Below a file there is nothing, and crun 1.8 fails when it looks. */
function accessOf(
  mount: Extract<MountSpec, { kind: 'bind' }>,
  of: { readonly kernel: readonly [major: number, minor: number]; readonly isDirectory: boolean },
): Extract<ContainerMount, { kind: 'bind' }>['access'] {
  const [major, minor] = of.kernel;
  if (!mount.isReadOnly) return 'read-write';
  if (mount.recursiveReadOnly === 'required' && (major < 5 || (major === 5 && minor < 12)))
    throw invalid(`failed to set recursive read-only on ${mount.target}: the kernel is older than 5.12`);
  return mount.isRecursive && mount.recursiveReadOnly !== 'no' && of.isDirectory ? 'read-only-recursive' : 'read-only';
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

/**
 * Part of a volume: its content is its containers', and may be exchanged while we look. It is opened by the kernel's
 * confined walk, and what was opened is what is mounted.
 */
function mountSubpath(root: Root, key: string, part: { readonly folder: string; readonly subpath: string }): string {
  const target = mountFolder(root.folder, key);
  const volume = openSync(part.folder, oPath);
  try {
    const found = openPart(volume, part);
    try {
      const isDirectory = statSync(`/proc/self/fd/${found}`).isDirectory();
      mkdirSync(path.dirname(target), { recursive: true, mode: 0o700 });
      if (isDirectory) mkdirSync(target, { mode: 0o700 });
      else writeFileSync(target, '', { mode: 0o600 });
      bindMount({ source: `/proc/self/fd/${found}`, target, isRecursive: true });
    } finally {
      closeSync(found);
    }
  } finally {
    closeSync(volume);
  }
  return target;
}

function openPart(volume: number, { folder, subpath }: { readonly folder: string; readonly subpath: string }): number {
  const shown = path.join(folder, subpath);
  try {
    return openBeneath(volume, Buffer.from(path.posix.normalize(subpath)).toString('latin1'), oPath);
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ENOTDIR')) throw notFound(`cannot access path ${shown}: no such file or directory`);
    if (isCode(error, 'EXDEV', 'ELOOP'))
      throw invalid(`cannot access path ${shown}: it leads out of the volume`, { cause: error });
    throw error;
  }
}

function unmountParts(rootFolder: string): void {
  const folder = path.join(rootFolder, 'mounts');
  let names: readonly string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return;
    throw error;
  }
  for (const name of names) {
    const target = path.join(folder, name);
    try {
      for (;;) unmount(target, { isDetached: true });
    } catch (error) {
      if (!isCode(error, 'EINVAL')) throw error; // nothing is mounted there any more
    }
    if (statSync(target).isDirectory()) rmdirSync(target);
    else rmSync(target);
  }
  rmdirSync(folder);
}

/** Docker's words. A mount of which the host hears, or that hears of the host's, must come from one that is shared with others. */
function checkedPropagation({ source, propagation }: Extract<MountSpec, { kind: 'bind' }>, dataRoot: string): string {
  const isShared = propagation.endsWith('shared');
  if (!isShared && !propagation.endsWith('slave')) return propagation;
  const entry = mountOf(realpathSync(source), readMounts());
  const [shares, follows] = [
    entry.tags.some((tag) => tag.startsWith('shared:')),
    entry.tags.some((tag) => tag.startsWith('master:')),
  ];
  if (isShared && !shares) throw invalid(`path ${source} is mounted on ${entry.target} but it is not a shared mount`);
  if (isShared || shares || follows) return propagation;
  // With the engine's data in it nobody asked for a slave: where the host shares nothing there is nothing to hear of.
  if (holdsData(source, dataRoot)) return 'rprivate';
  throw invalid(`path ${source} is mounted on ${entry.target} but it is not a shared or slave mount`);
}

function mountOf(source: string, mounts: readonly MountEntry[]): MountEntry {
  const around = mounts.filter(({ target }) => target === '/' || source === target || source.startsWith(`${target}/`));
  const nearest = around.toSorted((a, b) => a.target.length - b.target.length).at(-1);
  if (nearest === undefined) throw invalid(`path ${source} is on no mount of this host`);
  return nearest;
}
