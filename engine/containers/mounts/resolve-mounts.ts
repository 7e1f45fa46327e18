/**
 * From the mounts that were asked for to those that a container has: those of other containers, its own, the VOLUMEs of
 * client and image. Names and sources are settled here; nothing is made yet.
 */
import path from 'node:path';
import { EngineError, invalid } from '../../model/errors.ts';
import { madeUpVolumeName } from '../../volumes/volume-name.ts';
import type { Directory } from '../directory.ts';
import type { ContainerSpec, MountSpec } from '../spec/spec.ts';

/** Own mounts take the place of others' at the same target; a VOLUME goes where nothing else is. Parents before what lies in them. */
export function resolveMounts(
  spec: Pick<ContainerSpec, 'mounts' | 'volumesFrom' | 'declaredVolumes'>,
  host: { readonly directory: Directory; readonly dataRoot: string },
): readonly MountSpec[] {
  const byTarget = new Map<string, MountSpec>();
  for (const mount of spec.volumesFrom.flatMap((text) => mountsOf(host.directory, text)))
    byTarget.set(mount.target, mount);
  for (const mount of spec.mounts) byTarget.set(mount.target, settled(mount, host.dataRoot));
  for (const declared of spec.declaredVolumes) {
    const target = path.posix.normalize(path.posix.join('/', declared)).replace(/(.)\/$/, '$1');
    if (target === '/' || byTarget.has(target)) continue;
    byTarget.set(target, anonymousVolume(target));
  }
  return [...byTarget.values()].toSorted((a, b) => depthOf(a) - depthOf(b));
}

function depthOf({ target }: MountSpec): number {
  return target.split('/').length;
}

function anonymousVolume(target: string): MountSpec {
  return {
    kind: 'volume',
    name: madeUpVolumeName(),
    isAnonymous: true,
    target,
    isReadOnly: false,
    mode: '',
    copiesUp: true,
    subpath: '',
    driver: '',
    driverOptions: {},
    labels: {},
    from: 'volumes',
  };
}

function settled(mount: MountSpec, dataRoot: string): MountSpec {
  if (mount.kind === 'volume') return mount.isAnonymous ? { ...mount, name: madeUpVolumeName() } : mount;
  if (mount.kind !== 'bind') return mount;
  return { ...mount, propagation: propagationOf(mount, dataRoot) };
}

/**
 * With the engine's data among what is bound, unmounts of the host must reach the container: it would hold other
 * containers' roots for as long as it runs.
 */
function propagationOf({ source, propagation }: Extract<MountSpec, { kind: 'bind' }>, dataRoot: string): string {
  if (!holdsData(source, dataRoot)) return propagation === '' ? 'rprivate' : propagation;
  if (propagation === '') return 'rslave';
  if (['rslave', 'rshared'].includes(propagation)) return propagation;
  throw invalid(
    `invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within the daemon root, daemon root: "${dataRoot}", bind mount source: "${source}", propagation: "${propagation}"`,
  );
}

/** The engine's data is in what is bound, or the other way round. */
export function holdsData(source: string, dataRoot: string): boolean {
  return isWithin(dataRoot, source) || isWithin(source, dataRoot);
}

function isWithin(inner: string, outer: string): boolean {
  return outer === '/' || inner === outer || inner.startsWith(`${outer}/`);
}

/** `container[:mode]`: its binds and volumes, for reading only where either says so. */
function mountsOf(directory: Directory, text: string): readonly MountSpec[] {
  const [reference = '', mode = ''] = text.split(':');
  const isReadOnly = mode === 'ro';
  return findFor(directory, reference).spec.mounts.flatMap((mount): readonly MountSpec[] => {
    switch (mount.kind) {
      case 'bind':
        return [{ ...mount, isReadOnly: mount.isReadOnly || isReadOnly, from: 'volumes-from' }];
      case 'volume':
        // It was filled for the container that it was made with.
        return [{ ...mount, isReadOnly: mount.isReadOnly || isReadOnly, copiesUp: false, from: 'volumes-from' }];
      case 'tmpfs':
      case 'image':
        return mount.from === 'tmpfs' ? [] : [{ ...mount, from: 'volumes-from' }];
    }
  });
}

/** Docker answers 400 here: the container that is asked for is not the one that is missing. */
function findFor(directory: Directory, reference: string): ReturnType<Directory['find']> {
  try {
    return directory.find(reference);
  } catch (error) {
    if (error instanceof EngineError && error.kind === 'not-found') throw invalid(error.message, { cause: error });
    throw error;
  }
}
