import type { MountSpec, NetworkSpec, ProcessSpec, ResourceSpec } from './spec.ts';

/** What a client asks for, before the image fills in what is missing (null). */
export interface CreateRequest {
  /** Null: one is made up. */
  readonly name: string | null;
  readonly imageName: string;
  readonly process: Omit<ProcessSpec, 'entrypoint' | 'command' | 'workingDir' | 'user'> & {
    /** Null: the image's. An entrypoint of one empty word resets the image's. */
    readonly entrypoint: readonly string[] | null;
    readonly command: readonly string[] | null;
    readonly workingDir: string | null;
    readonly user: string | null;
  };
  /** Null: the first twelve digits of the id. */
  readonly hostname: string | null;
  readonly domainname: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly stopSignal: string | null;
  readonly stopTimeoutSeconds: number | null;
  readonly network: NetworkSpec;
  readonly mounts: readonly MountSpec[];
  readonly isAutoRemoved: boolean;
  readonly isPrivileged: boolean;
  readonly isRootReadOnly: boolean;
  readonly addedCapabilities: readonly string[];
  readonly droppedCapabilities: readonly string[];
  readonly securityOptions: readonly string[];
  readonly resources: ResourceSpec;
  /** Null: the engine's. */
  readonly logDriver: string | null;
  readonly logOptions: Readonly<Record<string, string>>;
  readonly shmSizeBytes: number | null;
}
