/**
 * The contract between skiffd and the process that owns the containers' stdio, logs and exit records.
 *
 * Words. A *monitor* is a process outside skiffd; skiffd may die and come back while it and its containers go on. A
 * monitor is of the *build* that started it; after an upgrade of the engine the older one keeps its containers until
 * their end, and new containers go to a new one. `Monitor` hides how many there are.
 *
 * Life of a container here: `attach` (any number of times, before or after) -> `start` -> output flows to the log and to
 * those attached -> the process ends -> output is drained -> the exit record is on disk -> `onExit` -> `acknowledge`.
 * Until it is acknowledged the record is told again to every skiffd that connects, and the id cannot be started again.
 *
 * An *exec* is a further process in a running container, with streams of its own and no log: `attach` -> `exec` -> it ends ->
 * `onExecExit` -> `forgetExec`. It is remembered by its monitor alone, not on the disk: what a skiffd that was killed did not
 * hear the next one finds in `execs`; with its monitor an exec is gone.
 *
 *     await using monitor = await openMonitor({ folder, exitFolder, program, build, log });
 *     monitor.onExit((record) => { write(record); void monitor.acknowledge(record.id); });
 *     const attachment = await monitor.attach({ id, wants: ['stdin', 'stdout', 'stderr'], whenSlow: 'wait' });
 *     const { pid } = await monitor.start({ id, bundle, runtime, stdio, log, cgroup: null });
 */
import type { Duplex } from 'node:stream';
import type { ContainerId, ExecId } from '../model/ids.ts';
import type { Instant } from '../model/time.ts';
import type { LogPlan } from '../logs/log-plan.ts';
import type { SpecProcess } from '../runtime/oci.ts';

export interface Monitor extends AsyncDisposable {
  /** Begins to have a process ready for new containers, so that the first one does not wait for it. Returns at once; `start` needs no preparation. */
  prepare(): void;

  /**
   * Runs the container and answers once its process runs its own program. Rejects with `StartError` when it could not be
   * started; nothing is left of the attempt then, and those attached are ended. Rejects with `conflict` when the id runs
   * already or its last exit was not acknowledged.
   */
  start(request: StartRequest): Promise<StartedContainer>;

  /**
   * Joins a client to the streams of a container or an exec. One that is not started yet is announced by this: it loses no
   * byte to the client. Resolves when the monitor has registered it.
   */
  attach(request: AttachRequest): Promise<Attachment>;

  /**
   * Runs one more process in a container that runs. Rejects with `StartError` when that cannot be; those attached to the
   * exec are ended then.
   */
  exec(request: ExecRequest): Promise<StartedExec>;

  /** Sends a signal to the container's first process, or to that of an exec. `conflict` when it does not run. */
  signal(id: ProcessId, signal: number): Promise<void>;

  /** Sets the size of a terminal; before the start, the size that it begins with. `conflict` without a terminal. */
  resize(id: ProcessId, size: TerminalSize): Promise<void>;

  /** All containers that run now. */
  containers(): Promise<readonly StartedContainer[]>;

  /**
   * Called for every exit that is not acknowledged: at once for those that are waiting, later for each as it happens; at
   * least once each, so the listener must bear a second call for the same start (same `pid` and `startedAt`).
   */
  onExit(listener: (record: ExitRecord) => void): Disposable;

  /** Exits that are not acknowledged, as they stand on the disk now. */
  waitingExits(): readonly ExitRecord[];

  /** The exit is safely in skiffd's own books: the record is deleted. Does nothing for one that is not there. */
  acknowledge(id: ContainerId): Promise<void>;

  /** Execs that run, and those that have ended and are not forgotten. */
  execs(): Promise<readonly KnownExec[]>;

  /** Called for each end of an exec as it happens; those of the time before are in `execs`. */
  onExecExit(listener: (exit: ExecExit) => void): Disposable;

  /** Nobody will ask for this exec any more. */
  forgetExec(id: ExecId): Promise<void>;

  /** What is resident, for `/info` and support: one entry for each monitor process. */
  processes(): readonly MonitorProcess[];
}

export interface MonitorProcess {
  readonly pid: number;
  readonly build: string;
  /** False: a monitor of another build, that gets no new container and ends with its last one. */
  readonly isCurrent: boolean;
}

export interface StartRequest {
  readonly id: ContainerId;
  /** Absolute path of a folder with `config.json` (source: OCI runtime spec). */
  readonly bundle: string;
  readonly runtime: RuntimeProgram;
  readonly stdio: StdioPlan;
  readonly log: LogPlan;
  /** The spec's `linux.cgroupsPath`: where out-of-memory kills are counted. */
  readonly cgroup: string | null;
  /** Where to keep the seccomp filter that crun compiles at this start (`CompiledFilters`); absent or null: nowhere. */
  readonly saveFilterTo?: string | null;
  /** Its exit need not survive the computer's going down: its record is not waited for on the disk. Default false. */
  readonly isVolatile?: boolean;
  /** How long output is awaited after the end, when something else keeps the pipe open. Default 1000. */
  readonly drainTimeoutMs?: number;
  /** Default 60000. */
  readonly startTimeoutMs?: number;
}

/** What has streams here: a container, by which its first process is meant, or an exec. */
export type ProcessId = ContainerId | ExecId;

export interface ExecRequest {
  readonly id: ExecId;
  readonly container: ContainerId;
  readonly runtime: RuntimeProgram;
  /** What runs, and as whom (source: OCI runtime spec, "process"). */
  readonly process: SpecProcess;
  readonly stdio: StdioPlan;
  /** Given back by `execs` as it is: what skiffd itself wants to know of it after a restart. */
  readonly detail: string;
  /** Default 1000. */
  readonly drainTimeoutMs?: number;
  /** Default 60000. */
  readonly startTimeoutMs?: number;
}

export interface StartedExec {
  readonly id: ExecId;
  readonly container: ContainerId;
  readonly pid: number;
  readonly startedAt: Instant;
  /** As of a container: the pid's identity. */
  readonly startTicks: number;
}

export interface ExecExit {
  readonly id: ExecId;
  readonly finishedAt: Instant;
  /** As of a container; 255 when its monitor was killed. */
  readonly exitCode: number;
}

export interface KnownExec {
  readonly started: StartedExec;
  readonly detail: string;
  /** Null while it runs. */
  readonly exit: ExecExit | null;
}

export interface RuntimeProgram {
  /** Absolute path of crun. */
  readonly program: string;
  /** Folder of crun's own state, one for each engine (`--root`). */
  readonly stateFolder: string;
}

/**
 * How the container's streams are made. `stdin`: `none` reads from /dev/null; `open` stays open whoever attaches;
 * `once` is closed when the first client that wanted it has sent its end or left.
 */
export type StdioPlan =
  | { readonly kind: 'pipes'; readonly stdin: 'none' | 'open' | 'once' }
  /** The spec must have `process.terminal`. */
  | { readonly kind: 'terminal'; readonly stdin: 'none' | 'open'; readonly size: TerminalSize | null };

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export interface StartedContainer {
  readonly id: ContainerId;
  readonly pid: number;
  readonly startedAt: Instant;
  /** Start time of the process in clock ticks since boot: with the pid, its identity (/proc/<pid>/stat field 22). */
  readonly startTicks: number;
  /**
   * `owned`: its streams and its exit code are ours. `adopted`: its monitor was killed, so its streams are gone and its
   * exit code cannot be learnt.
   */
  readonly hold: 'owned' | 'adopted';
}

export interface ExitRecord {
  readonly id: ContainerId;
  readonly pid: number;
  readonly startedAt: Instant;
  readonly finishedAt: Instant;
  /** 0..255 as the process gave it; 128 + signal when a signal ended it; 255 when it cannot be known. */
  readonly exitCode: number;
  /** The signal that ended it, or null. */
  readonly signal: number | null;
  /** The kernel killed a process of the container for want of memory. */
  readonly isOutOfMemory: boolean;
  /** False for an adopted container: nobody saw its exit code. */
  readonly isExitCodeKnown: boolean;
}

export type StreamName = 'stdin' | 'stdout' | 'stderr';

export interface AttachRequest {
  readonly id: ProcessId;
  readonly wants: readonly StreamName[];
  /**
   * What happens when the client does not read as fast as the container writes and its buffer is full. `drop`: it
   * has two seconds to catch up and is cut off then; log and container go on as if it was not there. `wait`: the container waits for it as it would for a pipe
   * (what `docker run … | slow` needs in order to lose nothing).
   */
  readonly whenSlow: 'drop' | 'wait';
}

export interface Attachment extends AsyncDisposable {
  /**
   * Readable side: the container's output. With pipes it is framed as the Engine API frames it (api/framing.ts), so that
   * it can be piped to an HTTP client as it is; from a terminal it is raw. It ends after the last byte when the container
   * has ended. It is paused: pipe it, iterate it or `resume()` it. Writable side: stdin; `end()` is its end of file. Destroying it detaches.
   */
  readonly stream: Duplex;
  /**
   * What the container has written before the client was joined is in its log with this time or an earlier one, what comes
   * in the stream has later ones there. Null from a monitor that does not tell.
   */
  readonly loggedUntil: Instant | null;
}
