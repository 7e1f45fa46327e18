/**
 * Folders of the user's computer that a machine's containers may bind: `PUT /skiff/v1/shares` tells an engine of them, `GET` reads them,
 * and `POST /skiff/v1/shares/attach` becomes a stream of SFTP packets, in which the engine's side asks and the user's computer answers.
 */
export interface SharedFolder {
  /** Short and stable; the first part of every path in the stream: `/<id>/src/main.c`. */
  readonly id: string;
  /** What containers name it by: an absolute path with slashes, that of the user's computer as a rule. */
  readonly path: string;
  readonly isReadOnly: boolean;
  /**
   * Tag of the device (virtio-fs) by which the machine has the same folder, should its driver have given it one: what is in files comes by it
   * then.
   */
  readonly device?: string;
}

export interface ShareList {
  readonly folders: readonly SharedFolder[];
  /**
   * What becomes of `-v /a/b:/c` where neither a share nor the machine has `/a/b`. `make`: an empty folder in the machine, as docker does
   * it; `refuse`: an error, for the user meant a folder of the own computer.
   */
  readonly whenMissing: 'make' | 'refuse';
  /** For the words of that error. */
  readonly machine: string;
}

/** What happened to a file that is watched. `path` as in the stream. */
export interface FileChange {
  readonly kind: 'created' | 'changed' | 'removed';
  readonly path: string;
}
