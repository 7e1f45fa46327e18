import { resolve } from 'node:path';
import type { MountRequest } from '../../api/containers.ts';
import { parseMemory } from '../formats/sizes.ts';
import { csvFields, pairOf } from './csv.ts';

/** A mount while its fields are read. */
interface Draft {
  type: string;
  source?: string;
  target?: string;
  readOnly?: boolean;
  consistency?: string;
  readonly bind: { -readonly [K in keyof NonNullable<MountRequest['BindOptions']>]: NonNullable<MountRequest['BindOptions']>[K] };
  readonly volume: { NoCopy?: boolean; Subpath?: string; driver?: string; readonly labels: Record<string, string>; readonly options: Record<string, string> };
  readonly tmpfs: { SizeBytes?: number; Mode?: number };
  imageSubpath?: string;
} // prettier-ignore

/** Reads one `--mount`: `type=bind,source=/a,target=/b,readonly`. Throws RangeError in docker's words. */
export function parseMount(text: string): MountRequest {
  const draft: Draft = { type: 'volume', bind: {}, volume: { labels: {}, options: {} }, tmpfs: {} };
  for (const field of csvFields(text)) setField(draft, field);
  return mountOf(draft);
}

const switches = ['readonly', 'ro', 'volume-nocopy', 'bind-nonrecursive', 'bind-create-src'];

function setField(draft: Draft, field: string): void {
  const { key, value: given } = pairOf(field);
  if (given === undefined && !switches.includes(key)) {
    throw new RangeError(`invalid field '${field}' must be a key=value pair`);
  }
  const value = given ?? 'true';
  switch (key) {
    case 'type':
      draft.type = value.toLowerCase();
      return;
    case 'source':
    case 'src':
      draft.source = value;
      return;
    case 'target':
    case 'dst':
    case 'destination':
      draft.target = value;
      return;
    case 'readonly':
    case 'ro':
      draft.readOnly = booleanOf(key, value);
      return;
    case 'consistency':
      draft.consistency = value.toLowerCase();
      return;
    default:
      setOption(draft, { key, value, field });
  }
}

function setOption(
  draft: Draft,
  { key, value, field }: { readonly key: string; readonly value: string; readonly field: string },
): void {
  const { bind, volume, tmpfs } = draft;
  switch (key) {
    case 'bind-propagation':
      bind.Propagation = value.toLowerCase();
      return;
    case 'bind-nonrecursive':
      bind.NonRecursive = booleanOf(key, value);
      return;
    case 'bind-create-src':
      bind.CreateMountpoint = booleanOf(key, value);
      return;
    case 'bind-recursive':
      setRecursion(bind, value);
      return;
    case 'volume-subpath':
      volume.Subpath = value;
      return;
    case 'volume-nocopy':
      volume.NoCopy = booleanOf(key, value);
      return;
    case 'volume-label':
      Object.assign(volume.labels, entryOf(value));
      return;
    case 'volume-driver':
      volume.driver = value;
      return;
    case 'volume-opt':
      Object.assign(volume.options, entryOf(value));
      return;
    case 'image-subpath':
      draft.imageSubpath = value;
      return;
    case 'tmpfs-size':
      tmpfs.SizeBytes = sizeOf(key, value);
      return;
    case 'tmpfs-mode':
      if (!/^[0-7]+$/.test(value)) throw new RangeError(`invalid value for ${key}: ${value}`);
      tmpfs.Mode = parseInt(value, 8);
      return;
    default:
      throw new RangeError(`unexpected key '${key}' in '${field}'`);
  }
}

function setRecursion(bind: Draft['bind'], value: string): void {
  switch (value) {
    case 'enabled':
      return;
    case 'disabled':
      bind.NonRecursive = true;
      return;
    case 'writable':
      bind.ReadOnlyNonRecursive = true;
      return;
    case 'readonly':
      bind.ReadOnlyForceRecursive = true;
      return;
    default:
      throw new RangeError(
        `invalid value for bind-recursive: ${value} (must be "enabled", "disabled", "writable", or "readonly")`,
      );
  }
}

function mountOf(draft: Draft): MountRequest {
  const { type, bind, volume, tmpfs, imageSubpath } = draft;
  if (draft.target === undefined || draft.target === '') throw new RangeError('target is required');
  const volumeOptions = {
    ...(volume.NoCopy === undefined ? {} : { NoCopy: volume.NoCopy }),
    ...(volume.Subpath === undefined ? {} : { Subpath: volume.Subpath }),
    ...(Object.keys(volume.labels).length > 0 ? { Labels: volume.labels } : {}),
    ...(volume.driver === undefined && Object.keys(volume.options).length === 0
      ? {}
      : { DriverConfig: { ...(volume.driver === undefined ? {} : { Name: volume.driver }), Options: volume.options } }),
  };
  const isMixed = (of: string, options: object): boolean => type !== of && Object.keys(options).length > 0;
  if (isMixed('volume', volumeOptions)) throw new RangeError(`cannot mix 'volume-*' options with mount type '${type}'`);
  if (isMixed('bind', bind)) throw new RangeError(`cannot mix 'bind-*' options with mount type '${type}'`);
  if (isMixed('tmpfs', tmpfs)) throw new RangeError(`cannot mix 'tmpfs-*' options with mount type '${type}'`);
  if (type !== 'image' && imageSubpath !== undefined)
    throw new RangeError(`cannot mix 'image-*' options with mount type '${type}'`);
  if (bind.ReadOnlyNonRecursive && !draft.readOnly)
    throw new RangeError("option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction");
  if (bind.ReadOnlyForceRecursive && !draft.readOnly)
    throw new RangeError("option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction");
  if (bind.ReadOnlyForceRecursive && bind.Propagation !== 'rprivate') {
    throw new RangeError(
      "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction",
    );
  }
  const isOwnFolder = type === 'bind' && draft.source !== undefined && /^\.{1,2}([\\/]|$)/.test(draft.source);
  return {
    Type: type,
    ...(draft.source === undefined ? {} : { Source: isOwnFolder ? resolve(draft.source) : draft.source }),
    Target: draft.target,
    ...(draft.readOnly === undefined ? {} : { ReadOnly: draft.readOnly }),
    ...(draft.consistency === undefined ? {} : { Consistency: draft.consistency }),
    ...(Object.keys(bind).length > 0 ? { BindOptions: bind } : {}),
    ...(Object.keys(volumeOptions).length > 0 ? { VolumeOptions: volumeOptions } : {}),
    ...(Object.keys(tmpfs).length > 0 ? { TmpfsOptions: tmpfs } : {}),
    ...(imageSubpath === undefined ? {} : { ImageOptions: { Subpath: imageSubpath } }),
  };
}

function booleanOf(key: string, value: string): boolean {
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw new RangeError(`invalid value for ${key}: ${value}`);
}

function sizeOf(key: string, value: string): number {
  try {
    return parseMemory(value);
  } catch (error) {
    throw new RangeError(`invalid value for ${key}: ${value}`, { cause: error });
  }
}

function entryOf(text: string): Record<string, string> {
  const at = text.indexOf('=');
  return at < 0 ? { [text]: '' } : { [text.slice(0, at)]: text.slice(at + 1) };
}
