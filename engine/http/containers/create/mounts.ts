/** `Binds`, `Mounts`, `Tmpfs` and `Volumes` -> mounts in the order in which they are made. */
import path from 'node:path';
import type { MountSpec } from '../../../containers/spec.ts';
import { invalid, notImplemented } from '../../../model/errors.ts';
import type { Fields } from '../../fields.ts';

export function readMounts(host: Fields): readonly MountSpec[] {
  const all = [
    ...host.texts('Binds').map(bindMount),
    ...host.objects('Mounts').map(typedMount),
    ...Object.entries(host.textMap('Tmpfs')).map(([target, options]): MountSpec => ({
      kind: 'tmpfs',
      target: mountTarget(target),
      options,
      from: 'tmpfs',
    })),
  ];
  const seen = new Set<string>();
  for (const { target } of all) {
    if (seen.has(target)) throw invalid(`Duplicate mount point: ${target}`);
    seen.add(target);
  }
  // Shallow ones first, so that /a is there before /a/b is mounted into it.
  return all.toSorted(
    (a, b) => a.target.split('/').length - b.target.split('/').length || (a.target < b.target ? -1 : 1),
  );
}

const propagations = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'];

/** `source:target[:mode]` (source: docker run reference, --volume). */
function bindMount(text: string): MountSpec {
  const parts = text.split(':');
  const [source = '', target = '', mode = ''] = parts;
  if (parts.length < 2 || parts.length > 3 || source === '' || target === '')
    throw invalid(`invalid volume specification: '${text}'`);
  if (!path.posix.isAbsolute(source)) {
    throw notImplemented(
      `named volumes are not there yet in this version of the Skiff engine: give an absolute path instead of '${source}'`,
    );
  }
  let isReadOnly = false;
  let propagation = 'rprivate';
  for (const word of mode === '' ? [] : mode.split(',')) {
    if (word === 'ro') isReadOnly = true;
    else if (propagations.includes(word)) propagation = word;
    else if (!['rw', 'z', 'Z', 'nocopy', 'consistent', 'cached', 'delegated'].includes(word))
      throw invalid(`invalid mode: ${mode}`);
  }
  return {
    kind: 'bind',
    source: path.posix.normalize(source),
    target: mountTarget(target),
    isReadOnly,
    propagation,
    mode,
    whenMissing: 'make',
    isRecursive: true,
    recursiveReadOnly: 'if-possible',
    from: 'binds',
  };
}

function typedMount(mount: Fields): MountSpec {
  const target = mountTarget(mount.text('Target'));
  if (mount.text('Type') === 'tmpfs') {
    const options = mount.object('TmpfsOptions');
    const size = options.integer('SizeBytes');
    const mode = options.integer('Mode');
    const words = [size === null ? '' : `size=${size}`, mode === null ? '' : `mode=${mode.toString(8)}`];
    return { kind: 'tmpfs', target, options: words.filter((word) => word !== '').join(','), from: 'mounts' };
  }
  const source = mount.text('Source');
  if (!path.posix.isAbsolute(source))
    throw invalid(`invalid mount config for type "bind": invalid mount path: '${source}' mount path must be absolute`);
  const propagation = mount.object('BindOptions').text('Propagation') || 'rprivate';
  if (!propagations.includes(propagation)) throw invalid(`invalid propagation mode: ${propagation}`);
  return {
    kind: 'bind',
    source,
    target,
    isReadOnly: mount.flag('ReadOnly'),
    propagation,
    mode: '',
    whenMissing: 'fail',
    isRecursive: true,
    recursiveReadOnly: 'if-possible',
    from: 'mounts',
  };
}

function mountTarget(target: string): string {
  const normal = path.posix.normalize(target).replace(/(.)\/$/, '$1');
  if (!path.posix.isAbsolute(target)) throw invalid(`invalid mount path: '${target}' mount path must be absolute`);
  if (normal === '/') throw invalid("invalid specification: destination can't be '/'");
  return normal;
}
