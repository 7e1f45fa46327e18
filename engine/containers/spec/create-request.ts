import type { ContainerSpec, HealthcheckSpec, ProcessSpec } from './spec.ts';

/** What an image or the engine fills in, or only the engine knows. */
type FilledIn = 'createdAt' | 'imageId' | 'process' | 'hostname' | 'healthcheck' | 'log' | 'shmSizeBytes';

/** What a client asks for, before image and engine fill in what is missing (null). */
export interface CreateRequest extends Omit<ContainerSpec, FilledIn> {
  /** Null: one is made up. */
  readonly name: string | null;
  readonly process: Omit<ProcessSpec, 'entrypoint' | 'command' | 'workingDir' | 'user'> & {
    /** Null: the image's. An entrypoint of one empty word resets the image's. */
    readonly entrypoint: readonly string[] | null;
    readonly command: readonly string[] | null;
    readonly workingDir: string | null;
    readonly user: string | null;
  };
  /** Null: the first twelve digits of the id. */
  readonly hostname: string | null;
  /** What is empty or zero is the image's. */
  readonly healthcheck: HealthcheckSpec | null;
  /** Null: the engine's. */
  readonly logDriver: string | null;
  readonly logOptions: Readonly<Record<string, string>>;
  readonly shmSizeBytes: number | null;
}
