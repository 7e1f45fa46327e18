/** Volumes on the wire (source: Engine API 1.55, tag Volume). */

export interface CreateVolumeBody {
  /** Absent or empty: a name of 64 hex digits is made. */
  readonly Name?: string;
  readonly Driver?: string;
  readonly DriverOpts?: Readonly<Record<string, string>> | null;
  readonly Labels?: Readonly<Record<string, string>> | null;
}

export interface VolumeInspect {
  readonly Name: string;
  readonly Driver: string;
  readonly Mountpoint: string;
  readonly Scope: string;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly Options: Readonly<Record<string, string>> | null;
  /** RFC 3339. */
  readonly CreatedAt?: string;
  /** Only in the disk usage; -1: not known. */
  readonly UsageData?: { readonly Size: number; readonly RefCount: number } | null;
}

export interface VolumeList {
  readonly Volumes: readonly VolumeInspect[] | null;
  readonly Warnings: readonly string[] | null;
}

export interface VolumesPruned {
  readonly VolumesDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}
