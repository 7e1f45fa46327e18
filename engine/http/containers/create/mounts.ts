/** `Binds`, `Mounts` and `Tmpfs` -> mounts, as they were asked for. What they come to in the end: `containers/resolve-mounts.ts`. */
import path from 'node:path';
import type { MountSpec } from '../../../containers/spec/spec.ts';
import { invalid } from '../../../model/errors.ts';
import type { Fields } from '../../fields.ts';
import { mountTarget, propagations } from './mount-target.ts';
import { readTypedMount } from './typed-mounts.ts';

/** Throws `invalid` in docker's words; the same target twice is refused. */
export function readMounts(host: Fields): readonly MountSpec[] {
  const driver = host.text('VolumeDriver');
  const all = [
    ...host.texts('Binds').map((text) => readBind(text, driver)),
    ...host.objects('Mounts').map(readTypedMount),
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
  return all;
}

/** `VolumesFrom`: `container[:mode]`. */
export function readVolumesFrom(host: Fields): readonly string[] {
  const all = host.texts('VolumesFrom');
  if (all.includes('')) throw invalid('volumes-from specification cannot be an empty string');
  for (const text of all) {
    const mode = text.slice(text.indexOf(':') + 1);
    if (text.includes(':') && !['', 'ro', 'rw', 'z', 'Z'].includes(mode)) throw invalid(`invalid mode: ${mode}`);
  }
  return all;
}

interface Mode {
  readonly isReadOnly: boolean;
  readonly propagation: string | null;
  readonly copiesUp: boolean;
}

const wordKinds: readonly (readonly string[])[] = [
  ['ro', 'rw'],
  ['z', 'Z'],
  ['consistent', 'cached', 'delegated'],
  ['nocopy'],
  propagations,
];

/** At most one word of a kind. */
function readMode(text: string): Mode {
  const words = text === '' ? [] : text.split(',');
  const isValid = words.every((word) => wordKinds.some((kind) => kind.includes(word)));
  if (!isValid || wordKinds.some((kind) => words.filter((word) => kind.includes(word)).length > 1))
    throw invalid(`invalid mode: ${text}`);
  return {
    isReadOnly: words.includes('ro'),
    propagation: words.find((word) => propagations.includes(word)) ?? null,
    copiesUp: !words.includes('nocopy'),
  };
}

/** `target`, `source:target`, `source:target:mode`; a source that is no absolute path is a volume's name (source: docker run reference, --volume). */
function readBind(text: string, driver: string): MountSpec {
  const parts = text.split(':');
  if (parts.length > 3 || parts.includes('')) throw invalid(`invalid volume specification: '${text}'`);
  const [first = '', second, third = ''] = parts;
  if (second === undefined) return volumeBind({ text, name: '', target: first, mode: '', driver });
  const mode = readMode(third);
  if (!path.posix.isAbsolute(first)) return volumeBind({ text, name: first, target: second, mode: third, driver });
  if (!mode.copiesUp)
    throw invalid(
      `invalid volume specification: '${text}': invalid mount config for type "bind": field VolumeOptions must not be specified`,
    );
  return {
    kind: 'bind',
    source: path.posix.normalize(first).replace(/(.)\/$/, '$1'),
    target: mountTarget(second, 'bind', text),
    isReadOnly: mode.isReadOnly,
    propagation: mode.propagation ?? '',
    mode: third,
    whenMissing: 'make',
    isRecursive: true,
    recursiveReadOnly: 'if-possible',
    from: 'binds',
  };
}

function volumeBind(parts: {
  readonly text: string;
  readonly name: string;
  readonly target: string;
  readonly mode: string;
  readonly driver: string;
}): MountSpec {
  const { text, name, target, mode, driver } = parts;
  const { isReadOnly, propagation, copiesUp } = readMode(mode);
  if (propagation !== null)
    throw invalid(
      `invalid volume specification: '${text}': invalid mount config for type "volume": field BindOptions must not be specified`,
    );
  return {
    kind: 'volume',
    name,
    isAnonymous: name === '',
    target: mountTarget(target, 'volume', text),
    isReadOnly,
    mode,
    copiesUp,
    subpath: '',
    driver,
    driverOptions: {},
    labels: {},
    from: 'binds',
  };
}
