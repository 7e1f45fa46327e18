/** Who a container's process runs as, resolved within the image's own passwd and group files. */
export interface ProcessUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  /** The home folder of its passwd entry, `/` without one. */
  readonly home: string;
}
