/** The engine about itself (source: Engine API 1.55, tag System). */

import type { ContainerSummary } from './containers.ts';
import type { ImageSummary } from './images.ts';
import type { VolumeInspect } from './volumes.ts';

export interface VersionAnswer {
  readonly Platform: { readonly Name: string };
  readonly Components: readonly {
    readonly Name: string;
    readonly Version: string;
    readonly Details: Readonly<Record<string, string>>;
  }[];
  readonly Version: string;
  readonly ApiVersion: string;
  readonly MinAPIVersion: string;
  readonly GitCommit: string;
  readonly GoVersion: string;
  readonly Os: string;
  readonly Arch: string;
  readonly KernelVersion: string;
  readonly BuildTime: string;
}

/** The part of `GET /info` that Skiff's own programs read. */
export interface InfoAnswer {
  readonly ID: string;
  readonly Name: string;
  readonly ServerVersion: string;
  readonly Containers: number;
  readonly ContainersRunning: number;
  readonly ContainersPaused: number;
  readonly ContainersStopped: number;
  readonly Images: number;
  readonly Driver: string;
  readonly KernelVersion: string;
  readonly OperatingSystem: string;
  readonly OSType: string;
  readonly Architecture: string;
  readonly NCPU: number;
  readonly MemTotal: number;
  readonly DockerRootDir: string;
  readonly CgroupVersion: string;
  readonly Warnings: readonly string[] | null;
}

export interface BuildCacheRecord {
  readonly ID: string;
  readonly Type: string;
  readonly Description: string;
  readonly InUse: boolean;
  readonly Shared: boolean;
  readonly Size: number;
  readonly CreatedAt: string;
  readonly LastUsedAt: string | null;
  readonly UsageCount: number;
}

export interface BuildCachePruned {
  readonly CachesDeleted?: readonly string[] | null;
  readonly SpaceReclaimed: number;
}

/** An image in the disk usage: its names are null where it has none. */
export type MeasuredImage = Omit<ImageSummary, 'RepoTags' | 'RepoDigests'> & {
  readonly RepoTags: readonly string[] | null;
  readonly RepoDigests: readonly string[] | null;
};

/** `GET /system/df`, in the form before API 1.52. Lists are null where the request asked for other kinds only. */
export interface DiskUsage {
  /** Bytes of all layers. */
  readonly LayersSize?: number;
  readonly Images?: readonly MeasuredImage[] | null;
  readonly Containers?: readonly ContainerSummary[] | null;
  readonly Volumes?: readonly VolumeInspect[] | null;
  readonly BuildCache?: readonly BuildCacheRecord[] | null;
}
