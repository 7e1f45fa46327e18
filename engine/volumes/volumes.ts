/**
 * The contract of the volumes room. A *volume* is a folder that outlives containers, known by its name. It is *used* by
 * every container that was made with it, running or not, and *held* by those that run (and by whoever looks into it): one
 * with a device of its own (tmpfs, nfs, a bind) is mounted by the first holder and unmounted by the last.
 *
 *     const volume = await volumes.create({ name: 'data', driver: 'local', options: {}, labels: {} });
 *     volumes.use(volume.name, container.id);                  // from now on it cannot be removed
 *     const folder = await volumes.hold(volume.name, container.id);
 *     volumes.letGo(container.id);                             // the container has stopped
 *     volumes.giveBack(container.id);                          // the container is being removed
 *     await volumes.remove('data');
 */
import type { Filters } from '../model/filters.ts';
import type { ContainerId } from '../model/ids.ts';

export interface Volumes {
  /** By name, in the order of the alphabet; `filters` with the keys `volumeFilterKeys`. Throws `invalid` for a value that means nothing. */
  list(filters?: Filters): readonly Volume[];
  /** Throws `not-found` in docker's words. */
  find(name: string): Volume;
  /**
   * The volume of that name, made when it is not there: what it was made with stays, whatever is asked for now. `user`: a
   * container that uses it from the first moment, so that no prune comes between. Throws
   * `invalid` for a name or option that cannot be, `not-found` for another driver. Nothing is left when it throws.
   */
  create(request: VolumeRequest, user?: ContainerId): Promise<Volume>;
  /** Throws `not-found`, and `conflict` with the ids of the containers that use it. */
  remove(name: string): Promise<void>;
  /** Removes what no container uses: without `isAll` only anonymous ones, never those with a device of their own. Throws `conflict` while another prune runs. */
  prune(options: { readonly filters: Filters; readonly isAll: boolean }): Promise<Pruned>;

  /** Where it is, or would be. */
  folderOf(name: string): string;
  usersOf(name: string): readonly ContainerId[];
  /** Notes that the container was made with it. The container must have its row. */
  use(name: string, container: ContainerId): void;
  /** Takes back every `use` of a container. */
  giveBack(container: ContainerId): void;

  /** The folder to mount, with the device in it. `holder` is a container, or whatever else looks into it. Throws `internal` when the device cannot be mounted. */
  hold(name: string, holder: string): Promise<string>;
  /** Takes back every `hold` of a holder. Returns the names of the volumes that it held. */
  letGo(holder: string): readonly string[];
  /** At boot: finishes removals, unmounts what no running container holds. `holders`: volumes by the container that runs with them. */
  restore(holders: ReadonlyMap<ContainerId, readonly string[]>): Promise<void>;
}

export interface VolumeRequest {
  /** Empty: an anonymous one, whose name is made up. */
  readonly name: string;
  /** Empty: `local`. */
  readonly driver: string;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Volume {
  readonly name: string;
  readonly driver: 'local';
  /** RFC 3339. */
  readonly createdAt: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  /** `<data root>/volumes/<name>/_data`. */
  readonly folder: string;
}

export interface Pruned {
  readonly names: readonly string[];
  readonly reclaimedBytes: number;
}

/** Volumes whose name the engine made up carry it; `prune` and `rm -v` look for it. */
export const anonymousLabel = 'com.docker.volume.anonymous';

export const volumeFilterKeys = ['dangling', 'driver', 'label', 'name'];
export const volumePruneFilterKeys = ['all', 'label', 'label!'];
