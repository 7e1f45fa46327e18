import type { ContainerDetails } from '../../desktop/contract/containers.ts';

/** What goes and what stays when a container is removed, by its mounts. */
export interface Removal {
  /** Where unnamed volumes are mounted that go with it. */
  readonly lost: readonly string[];
  /** Volumes by name, folders by path, unnamed volumes by where they are mounted. */
  readonly kept: readonly string[];
  readonly hasUnnamed: boolean;
}

/** The name that an engine makes up for a volume nobody named: 64 hex digits. */
const unnamedVolume = /^[0-9a-f]{64}$/;

export function removalOf(facts: {
  readonly mounts: ContainerDetails['mounts'];
  readonly removesVolumes: boolean;
}): Removal {
  const mounts = facts.mounts.filter(({ type }) => type !== 'tmpfs');
  const unnamed = mounts.filter(({ type, source }) => type === 'volume' && unnamedVolume.test(source));
  const named = mounts.filter((mount) => !unnamed.includes(mount)).map(({ source }) => source);
  const places = unnamed.map(({ destination }) => destination);
  return facts.removesVolumes
    ? { lost: places, kept: named, hasUnnamed: unnamed.length > 0 }
    : { lost: [], kept: [...named, ...places], hasUnnamed: unnamed.length > 0 };
}
