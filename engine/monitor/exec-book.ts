/** Which execs run at which monitor, as skiffd knows it: so that those of a monitor that is killed are told to have ended. */
import { isProcessAlive, ProcessHandle } from '../kernel/pidfd.ts';
import type { ExecId } from '../model/ids.ts';
import { systemClock } from '../model/time.ts';
import type { MonitorConnection } from './connection.ts';
import type { ExecExit, StartedExec } from './monitor.ts';

/** Docker's code for an end that nobody saw. */
const unknownExitCode = 255;
const kill = 9;

export class ExecBook {
  readonly #running = new Map<ExecId, { readonly connection: MonitorConnection; started: StartedExec | null }>();
  readonly #listeners = new Set<(exit: ExecExit) => void>();

  begin(id: ExecId, connection: MonitorConnection): void {
    this.#running.set(id, { connection, started: null });
  }

  started(started: StartedExec): void {
    const entry = this.#running.get(started.id);
    if (entry !== undefined) entry.started = started;
  }

  /** It could not be started. */
  drop(id: ExecId): void {
    this.#running.delete(id);
  }

  ended(exit: ExecExit): void {
    this.#running.delete(exit.id);
    for (const listener of this.#listeners) listener(exit);
  }

  onExit(listener: (exit: ExecExit) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** The monitor has gone, and with it the streams and exit codes of its execs; what still runs of them is ended. */
  abandon(connection: MonitorConnection): void {
    const finishedAt = systemClock()();
    for (const [id, { connection: owner, started }] of this.#running) {
      if (owner !== connection) continue;
      if (started !== null) endProcess(started);
      this.ended({ id, finishedAt, exitCode: unknownExitCode });
    }
  }

  /** Nobody listens any more. */
  close(): void {
    this.#listeners.clear();
    this.#running.clear();
  }
}

function endProcess({ pid, startTicks }: StartedExec): void {
  using handle = ProcessHandle.open(pid);
  if (isProcessAlive(pid, startTicks)) handle?.signal(kill);
}
