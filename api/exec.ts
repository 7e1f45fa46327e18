/** Commands in running containers on the wire (source: Engine API 1.55, tag Exec). */

export interface CreateExecBody {
  readonly Cmd: readonly string[];
  readonly AttachStdin?: boolean;
  readonly AttachStdout?: boolean;
  readonly AttachStderr?: boolean;
  readonly Tty?: boolean;
  readonly Env?: readonly string[] | null;
  readonly User?: string;
  readonly WorkingDir?: string;
  readonly Privileged?: boolean;
  readonly DetachKeys?: string;
  readonly ConsoleSize?: readonly [height: number, width: number] | null;
}

export interface StartExecBody {
  readonly Detach?: boolean;
  readonly Tty?: boolean;
  readonly ConsoleSize?: readonly [height: number, width: number] | null;
}

export interface ExecInspect {
  readonly ID: string;
  readonly Running: boolean;
  /** Null while it runs, and when it never started. */
  readonly ExitCode: number | null;
  readonly ProcessConfig: {
    readonly tty: boolean;
    readonly entrypoint: string;
    readonly arguments: readonly string[] | null;
    readonly privileged?: boolean;
    readonly user?: string;
  };
  readonly OpenStdin: boolean;
  readonly OpenStdout: boolean;
  readonly OpenStderr: boolean;
  readonly CanRemove: boolean;
  readonly ContainerID: string;
  readonly DetachKeys: string;
  /** Process id on the engine's host; 0 when it never started. */
  readonly Pid: number;
}
