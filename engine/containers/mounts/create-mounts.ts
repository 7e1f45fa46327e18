/** What a container's mounts need when it is made: volumes, what they get from the image, its working directory. */
import { closeSync, constants, openSync } from 'node:fs';
import { isCode, namesIn, openInRoot } from '../../kernel/files.ts';
import { findInLayers } from '../../layers/apply/lower-layers.ts';
import { EngineError, invalid } from '../../model/errors.ts';
import type { Root } from '../../rootfs/rootfs.ts';
import { makeDirectoryInside } from '../../rootfs/rootfs.ts';
import { copyLook } from '../../trees/copy-look.ts';
import { anonymousLabel } from '../../volumes/volumes.ts';
import type { Container } from '../container.ts';
import type { Parts } from '../parts.ts';
import type { MountSpec } from '../spec/spec.ts';
import { assertBindSource } from './bind-sources.ts';

type VolumeMount = Extract<MountSpec, { kind: 'volume' }>;

/** Before anything is made. Throws what `assertBindSource` does, and `not-found` for an image that is not there. */
export async function assertMountSources(
  { images, shares }: Pick<Parts, 'images' | 'shares'>,
  mounts: readonly MountSpec[],
): Promise<void> {
  for (const mount of mounts) {
    if (mount.kind === 'image') images.resolve(mount.image);
    if (mount.kind === 'bind') await assertBindSource({ shares }, mount);
  }
}

/** The container must have its row and its root. What it makes before it throws is undone by `removeAnonymousVolumes`. */
export async function makeMounts(parts: Parts, container: Container, root: Root): Promise<void> {
  const { id, spec } = container;
  const made: VolumeMount[] = [];
  for (const mount of spec.mounts) {
    if (mount.kind === 'image')
      await parts.roots.keepImage(id, mount.target, parts.images.resolve(mount.image).topLayer);
    if (mount.kind !== 'volume') continue;
    await makeVolume(parts, container, mount);
    made.push(mount);
  }
  const filled = made.filter(({ copiesUp, subpath }) => copiesUp && subpath === '');
  const workingDir = spec.process.workingDir || '/';
  const needsDirectory = !hasDirectory(root, workingDir);
  if (filled.length === 0 && !needsDirectory) return;
  // Links in the image lead where they lead the container: its root is looked at as it will be.
  using held = parts.roots.hold(id);
  for (const mount of filled) await fill(parts, container, mount, held.root.merged);
  if (needsDirectory) makeWorkingDirectory(held.root.merged, workingDir);
}

async function makeVolume({ volumes }: Parts, { id }: Container, mount: VolumeMount): Promise<void> {
  const { name, driver, driverOptions: options, labels, isAnonymous } = mount;
  if (mount.from === 'volumes-from') return volumes.use(name, id);
  const given = isAnonymous ? { ...labels, [anonymousLabel]: '' } : labels;
  await volumes.create({ name, driver, options, labels: given }, id);
}

/** Copy-up. Most images have an empty directory there: then only its owner and mode are taken over, at once. */
async function fill(parts: Parts, container: Container, mount: VolumeMount, merged: string): Promise<void> {
  const source = openTarget(merged, mount);
  if (source === null) return;
  const holder = `copy-up:${container.id}`;
  try {
    const folder = await parts.volumes.hold(mount.name, holder);
    if (namesIn(source).length > 0) await parts.trees.copyUp({ root: merged, path: mount.target }, folder);
    else copyLook(source, folder);
  } finally {
    closeSync(source);
    parts.volumes.letGo(holder);
  }
}

/** Null when the image has nothing there. Throws when it has a file there and the image itself calls it a volume. */
function openTarget(merged: string, mount: VolumeMount): number | null {
  const root = openSync(merged, constants.O_DIRECTORY);
  try {
    return openInRoot(root, Buffer.from(mount.target.slice(1)).toString('latin1'), constants.O_DIRECTORY);
  } catch (error) {
    if (isCode(error, 'ENOTDIR') && mount.from === 'volumes')
      throw new EngineError('internal', `cannot mount volume over existing file, file exists ${mount.target}`);
    if (isCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return null;
    throw error;
  } finally {
    closeSync(root);
  }
}

/** Without links in the way, as the layers have it: what needs a mount to be seen is looked at then. */
function hasDirectory({ lowers }: Root, directory: string): boolean {
  if (directory === '/') return true;
  const parts = Buffer.from(directory)
    .toString('latin1')
    .split('/')
    .filter((part) => part !== '');
  using found = findInLayers(lowers, parts);
  return found?.stats.isDirectory() === true;
}

function makeWorkingDirectory(merged: string, directory: string): void {
  try {
    makeDirectoryInside(merged, directory);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw invalid(`Cannot mkdir: ${directory} is not a directory`, { cause: error });
  }
}

/** With its container, or with `rm -v`: volumes that were made for it and that nobody else uses. Repeatable. */
export async function removeAnonymousVolumes(parts: Parts, container: Container): Promise<void> {
  parts.volumes.giveBack(container.id);
  for (const mount of container.spec.mounts) {
    if (mount.kind !== 'volume' || !mount.isAnonymous) continue;
    try {
      await parts.volumes.remove(mount.name);
    } catch (error) {
      // Used by others, or gone: neither is a failure of this removal.
      if (!(error instanceof EngineError && ['conflict', 'not-found'].includes(error.kind))) throw error;
    }
  }
}
