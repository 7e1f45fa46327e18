/** Mounts as docker's clients see them: what was asked for (`Binds`, `Mounts`, `Tmpfs`, `Volumes`), and what it came to. */
import type { ContainerConfig, HostConfig, MountPoint, MountRequest } from '../../../../api/containers.ts';
import type { Container } from '../../../containers/container.ts';
import type { Parts } from '../../../containers/parts.ts';
import type { ContainerSpec, MountSpec } from '../../../containers/spec/spec.ts';
import { mountFolder } from '../../../containers/mounts/start-mounts.ts';

type MountFields = Pick<HostConfig, 'Binds' | 'Mounts' | 'Tmpfs' | 'VolumesFrom' | 'VolumeDriver'>;

export function presentMountRequests(spec: ContainerSpec): MountFields {
  const binds = spec.mounts.filter(({ from }) => from === 'binds');
  const typed = spec.mounts.filter(({ from }) => from === 'mounts').map(mountRequest);
  const tmpfs = spec.mounts.flatMap((mount) =>
    mount.kind === 'tmpfs' && mount.from === 'tmpfs' ? [[mount.target, mount.options] as const] : [],
  );
  const driver = binds.find((mount) => mount.kind === 'volume' && mount.driver !== '');
  return {
    Binds: binds.length === 0 ? null : binds.map(bindText),
    ...(typed.length === 0 ? {} : { Mounts: typed }),
    ...(tmpfs.length === 0 ? {} : { Tmpfs: Object.fromEntries(tmpfs) }),
    VolumesFrom: spec.volumesFrom.length === 0 ? null : spec.volumesFrom,
    VolumeDriver: driver?.kind === 'volume' ? driver.driver : '',
  };
}

export function presentVolumes(spec: ContainerSpec): ContainerConfig['Volumes'] {
  return spec.declaredVolumes.length === 0
    ? null
    : Object.fromEntries(spec.declaredVolumes.map((target) => [target, {}]));
}

function bindText(mount: MountSpec): string {
  if (mount.kind === 'volume' && mount.isAnonymous) return mount.target;
  const source = mount.kind === 'bind' ? mount.source : mount.kind === 'volume' ? mount.name : '';
  const mode = mount.kind === 'bind' || mount.kind === 'volume' ? mount.mode : '';
  return `${source}:${mount.target}${mode === '' ? '' : `:${mode}`}`;
}

function mountRequest(mount: MountSpec): MountRequest {
  switch (mount.kind) {
    case 'bind':
      return bindRequest(mount);
    case 'volume':
      return volumeRequest(mount);
    case 'tmpfs':
      return tmpfsRequest(mount);
    case 'image':
      return {
        Type: 'image',
        Source: mount.image,
        Target: mount.target,
        ...(mount.subpath === '' ? {} : { ImageOptions: { Subpath: mount.subpath } }),
      };
  }
}

function bindRequest(mount: Extract<MountSpec, { kind: 'bind' }>): MountRequest {
  const options = {
    ...(mount.propagation === 'rprivate' ? {} : { Propagation: mount.propagation }),
    ...(mount.isRecursive ? {} : { NonRecursive: true }),
    ...(mount.whenMissing === 'make' ? { CreateMountpoint: true } : {}),
    ...(mount.recursiveReadOnly === 'no' ? { ReadOnlyNonRecursive: true } : {}),
    ...(mount.recursiveReadOnly === 'required' ? { ReadOnlyForceRecursive: true } : {}),
  };
  return {
    Type: 'bind',
    Source: mount.source,
    Target: mount.target,
    ...(mount.isReadOnly ? { ReadOnly: true } : {}),
    ...(Object.keys(options).length === 0 ? {} : { BindOptions: options }),
  };
}

function volumeRequest(mount: Extract<MountSpec, { kind: 'volume' }>): MountRequest {
  const hasOptions = Object.keys(mount.driverOptions).length > 0;
  const options = {
    ...(mount.copiesUp ? {} : { NoCopy: true }),
    ...(Object.keys(mount.labels).length === 0 ? {} : { Labels: mount.labels }),
    ...(mount.subpath === '' ? {} : { Subpath: mount.subpath }),
    ...(mount.driver === '' && !hasOptions
      ? {}
      : { DriverConfig: { Name: mount.driver, ...(hasOptions ? { Options: mount.driverOptions } : {}) } }),
  };
  return {
    Type: 'volume',
    ...(mount.isAnonymous ? {} : { Source: mount.name }),
    Target: mount.target,
    ...(mount.isReadOnly ? { ReadOnly: true } : {}),
    ...(Object.keys(options).length === 0 ? {} : { VolumeOptions: options }),
  };
}

function tmpfsRequest({ target, options }: Extract<MountSpec, { kind: 'tmpfs' }>): MountRequest {
  const words = options.split(',').filter((word) => word !== '');
  const value = (key: string): string | undefined =>
    words.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1);
  const [size, mode] = [value('size'), value('mode')];
  const flags = words.filter((word) => ['exec', 'noexec'].includes(word)).map((word) => [word]);
  const asked = {
    ...(size === undefined ? {} : { SizeBytes: Number(size) }),
    ...(mode === undefined ? {} : { Mode: Number.parseInt(mode, 8) }),
    ...(flags.length === 0 ? {} : { Options: flags }),
  };
  return {
    Type: 'tmpfs',
    Target: target,
    ...(words.includes('ro') ? { ReadOnly: true } : {}),
    ...(Object.keys(asked).length === 0 ? {} : { TmpfsOptions: asked }),
  };
}

/** Where the engine keeps what a mount shows. */
export interface MountFolders {
  volume(name: string): string;
  image(target: string): string;
}

/** Where nobody looks at the mounts. */
export const noFolders: MountFolders = { volume: () => '', image: () => '' };

export function mountFoldersOf(parts: Pick<Parts, 'roots' | 'volumes'>, container: Container): MountFolders {
  return {
    volume: (name) => parts.volumes.folderOf(name),
    image: (target) => mountFolder(parts.roots.folderOf(container.id), target),
  };
}

/** A tmpfs that was asked for with `--tmpfs` is not listed by docker either. */
export function presentMounts(spec: ContainerSpec, folders: MountFolders): readonly MountPoint[] {
  return spec.mounts.flatMap((mount): readonly MountPoint[] => {
    switch (mount.kind) {
      case 'bind':
        return [
          {
            Type: 'bind',
            Source: mount.source,
            Destination: mount.target,
            Mode: mount.mode,
            RW: !mount.isReadOnly,
            Propagation: mount.propagation,
          },
        ];
      case 'volume':
        return [
          {
            Type: 'volume',
            Name: mount.name,
            Source: folders.volume(mount.name),
            Destination: mount.target,
            Driver: 'local',
            // Docker's own word for a volume of which nothing was said.
            Mode: mount.mode === '' && (mount.from === 'binds' || mount.from === 'mounts') ? 'z' : mount.mode,
            RW: !mount.isReadOnly,
            Propagation: '',
          },
        ];
      case 'image':
        return [
          {
            Type: 'image',
            Name: mount.image,
            Source: folders.image(mount.target),
            Destination: mount.target,
            Mode: '',
            RW: false,
            Propagation: 'rprivate',
          },
        ];
      case 'tmpfs':
        return mount.from === 'tmpfs'
          ? []
          : [
              {
                Type: 'tmpfs',
                Source: '',
                Destination: mount.target,
                Mode: '',
                RW: !mount.options.split(',').includes('ro'),
                Propagation: '',
              },
            ];
    }
  });
}
