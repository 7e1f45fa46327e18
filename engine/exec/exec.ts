import type { Container } from '../containers/container.ts';
import { conflict } from '../model/errors.ts';
import type { ExecId } from '../model/ids.ts';
import type { Instant } from '../model/time.ts';
import type { ExecExit, StartedExec, TerminalSize } from '../monitor/monitor.ts';

/** What an exec was created with. */
export interface ExecSpec {
  /** Never empty. */
  readonly command: readonly string[];
  /** `KEY=value`, added to the container's. */
  readonly env: readonly string[];
  /** As of a container; empty: the container's own. */
  readonly user: string;
  /** Null: the container's own. */
  readonly workingDir: string | null;
  readonly isPrivileged: boolean;
  readonly hasTerminal: boolean;
  readonly consoleSize: TerminalSize | null;
  /** As the client wrote it; empty: the default. */
  readonly detachKeys: string;
  readonly attached: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
}

export type ExecState =
  | { readonly status: 'created' }
  | { readonly status: 'starting' }
  | { readonly status: 'running'; readonly pid: number; readonly startedAt: Instant }
  | { readonly status: 'ended'; readonly pid: number; readonly exitCode: number; readonly finishedAt: Instant };

/** A command in a running container: made, started once, ended. */
export class Exec {
  readonly id: ExecId;
  readonly container: Container;
  readonly spec: ExecSpec;
  readonly #ended = Promise.withResolvers<number>();
  #state: ExecState = { status: 'created' };
  #earlyExit: ExecExit | null = null;

  constructor(id: ExecId, container: Container, spec: ExecSpec) {
    this.id = id;
    this.container = container;
    this.spec = spec;
  }

  get state(): ExecState {
    return this.#state;
  }

  /** The exit code, once it has ended and its output has been read; also of one that could not be started. */
  get ended(): Promise<number> {
    return this.#ended.promise;
  }

  /** Throws `conflict` when it has been started before. */
  begin(): void {
    if (this.#state.status !== 'created') throw conflict(`exec command ${this.id} has already run`);
    this.#state = { status: 'starting' };
  }

  /** True when its end is known already: the news of it may be faster than that of its start. */
  started({ pid, startedAt }: StartedExec): boolean {
    this.#state = { status: 'running', pid, startedAt };
    return this.#earlyExit !== null && this.exited(this.#earlyExit);
  }

  /** False when it has not been told to run yet, or has ended before. */
  exited(exit: ExecExit): boolean {
    if (this.#state.status === 'starting') this.#earlyExit = exit;
    if (this.#state.status !== 'running') return false;
    const { pid } = this.#state;
    const { exitCode, finishedAt } = exit;
    this.#state = { status: 'ended', pid, exitCode, finishedAt };
    this.#ended.resolve(exitCode);
    return true;
  }

  /** It could not be started. */
  failed(exitCode: number, finishedAt: Instant): void {
    this.#state = { status: 'ended', pid: 0, exitCode, finishedAt };
    this.#ended.resolve(exitCode);
  }
}
