/** One `--mount`: an object of `Mounts` (source: Engine API, Mount; the words of errors: moby's volume/mounts). */
import path from 'node:path';
import type { MountSpec } from '../../../containers/spec/spec.ts';
import { invalid } from '../../../model/errors.ts';
import type { Fields } from '../../fields.ts';
import { mountTarget, propagations } from './mount-target.ts';

const types = ['bind', 'volume', 'tmpfs', 'image'] as const;

/** Which options belong to which type. */
const optionsOf: Readonly<Record<string, (typeof types)[number]>> = {
  BindOptions: 'bind',
  VolumeOptions: 'volume',
  TmpfsOptions: 'tmpfs',
  ImageOptions: 'image',
};

export function readTypedMount(mount: Fields): MountSpec {
  const given = mount.text('Type');
  const type = types.find((known) => known === given);
  if (type === undefined) throw refused(given, 'mount type unknown');
  for (const [field, owner] of Object.entries(optionsOf)) {
    if (owner !== type && mount.raw(field) !== undefined && mount.raw(field) !== null)
      throw invalid(`${field} must not be specified on mount type "${type}"`);
  }
  if (mount.text('Target') === '') throw refused(type, 'field Target must not be empty');
  const target = mountTarget(mount.text('Target'), type);
  switch (type) {
    case 'bind':
      return bind(mount, target);
    case 'volume':
      return volume(mount, target);
    case 'tmpfs':
      return tmpfs(mount, target);
    case 'image':
      return image(mount, target);
  }
}

function bind(mount: Fields, target: string): MountSpec {
  const source = mount.text('Source');
  const options = mount.object('BindOptions');
  const propagation = options.text('Propagation');
  if (source === '') throw refused('bind', 'field Source must not be empty');
  if (!path.posix.isAbsolute(source))
    throw refused('bind', `invalid mount path: '${source}' mount path must be absolute`);
  if (propagation !== '' && !propagations.includes(propagation))
    throw refused('bind', `invalid propagation mode: ${propagation}`);
  const isRequired = options.flag('ReadOnlyForceRecursive');
  return {
    kind: 'bind',
    source,
    target,
    isReadOnly: mount.flag('ReadOnly'),
    propagation,
    mode: '',
    whenMissing: options.flag('CreateMountpoint') ? 'make' : 'fail',
    isRecursive: !options.flag('NonRecursive'),
    recursiveReadOnly: options.flag('ReadOnlyNonRecursive') ? 'no' : isRequired ? 'required' : 'if-possible',
    from: 'mounts',
  };
}

function volume(mount: Fields, target: string): MountSpec {
  const name = mount.text('Source');
  const options = mount.object('VolumeOptions');
  const driver = options.object('DriverConfig');
  const subpath = options.text('Subpath');
  if (subpath !== '' && name === '') throw refused('volume', 'must not set Subpath when using anonymous volumes');
  if (!isLocal(subpath)) throw refused('volume', 'subpath must be a relative path within the volume');
  return {
    kind: 'volume',
    name,
    isAnonymous: name === '',
    target,
    isReadOnly: mount.flag('ReadOnly'),
    mode: '',
    copiesUp: !options.flag('NoCopy'),
    subpath,
    driver: driver.text('Name'),
    driverOptions: driver.textMap('Options'),
    labels: options.textMap('Labels'),
    from: 'mounts',
  };
}

function tmpfs(mount: Fields, target: string): MountSpec {
  if (mount.text('Source') !== '') throw refused('tmpfs', 'field Source must not be specified');
  const options = mount.object('TmpfsOptions');
  const size = options.integer('SizeBytes');
  const mode = options.integer('Mode');
  const further = furtherOptions(options.raw('Options'));
  const words = [
    ...(mount.flag('ReadOnly') ? ['ro'] : []),
    ...(size === null ? [] : [`size=${size}`]),
    ...(mode === null ? [] : [`mode=${mode.toString(8)}`]),
    ...further,
  ];
  return { kind: 'tmpfs', target, options: words.join(','), from: 'mounts' };
}

/** `[["exec"], ["noexec"]]`: each a word, or a word and its value. */
function furtherOptions(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  const isList = Array.isArray(value) && value.every((item) => Array.isArray(item) && item.every(isText));
  if (!isList) throw invalid('invalid JSON: TmpfsOptions.Options must be a list of lists of strings');
  return (value as readonly (readonly string[])[]).map(([word = '', ...rest]) => {
    if (rest.length > 0 || !['exec', 'noexec'].includes(word)) throw refused('tmpfs', `invalid option: ${word}`);
    return word;
  });
}

function image(mount: Fields, target: string): MountSpec {
  const source = mount.text('Source');
  const subpath = mount.object('ImageOptions').text('Subpath');
  if (source === '') throw refused('image', 'field Source must not be empty');
  if (!isLocal(subpath)) throw refused('image', 'subpath must be a relative path within the volume');
  return { kind: 'image', image: source, subpath, target, from: 'mounts' };
}

/** Go's filepath.IsLocal, as far as it matters: relative, and nowhere above where it begins. */
function isLocal(subpath: string): boolean {
  if (path.posix.isAbsolute(subpath)) return false;
  const normal = path.posix.normalize(subpath);
  return normal !== '..' && !normal.startsWith('../');
}

function isText(value: unknown): boolean {
  return typeof value === 'string';
}

function refused(type: string, reason: string): Error {
  return invalid(`invalid mount config for type "${type}": ${reason}`);
}
